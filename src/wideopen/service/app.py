"""The app: `make_app(config)` puts routes, problems, limits and the studio together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from wideopen import __version__
from wideopen.service.edge import STUDIO, Edge
from wideopen.service.openapi import publish
from wideopen.service.operation import ServeConfig
from wideopen.service.problems import add_handlers
from wideopen.service.routes import health as state
from wideopen.service.routes import render, scenes
from wideopen.service.service import Service

_ABOUT = """A sharp portrait in, a photo as from a fast lens wide open out.

`POST /v1/render` does all at once. `POST /v1/analyze` understands a photo once, `POST /v1/scenes/{id}/render` renders
it again and again. Errors are problem+json. Beyond its queue the service answers 503 with Retry-After.
"""


def make_app(config: ServeConfig) -> FastAPI:
    """The service as an ASGI app; its workers start and end with the app's lifespan."""
    service = Service(config)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service:
            yield

    # No /docs: that page takes its scripts from elsewhere.
    app = FastAPI(
        title="wideopen",
        version=__version__,
        description=_ABOUT,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    add_handlers(app)
    for routes in (render, scenes, state):
        app.include_router(routes.router)
    publish(app, protected=config.token is not None)
    app.add_middleware(Edge, config=config, metrics=service.metrics)
    if config.studio:
        from wideopen.studio.launch import mount
        from wideopen.studio.tabs import StudioConfig

        settings = StudioConfig(
            maps=config.maps,
            backend=config.backend,
            photo_s=config.limits.request_s,
            max_megabytes=config.limits.body_mb,
            max_megapixels=config.limits.megapixels,
        )
        mount(app, STUDIO, config=settings, run=service.run, jobs=config.workers)
    return app
