"""The routes, thin: read the request, have the work done, answer."""

from fastapi import Request

from wideopen.service.service import Service


def service_of(request: Request) -> Service:
    """The service that a request came to."""
    found: Service = request.app.state.service
    return found
