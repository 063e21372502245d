"""Who may use the service: everybody, or whoever brings the bearer token."""

import base64
import hashlib
import hmac
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from wideopen.service.operation import ServeConfig
from wideopen.service.problems import Problem

_BEARER = HTTPBearer(auto_error=False, description="Only where the service was started with a token.")


def same_token(given: str, wanted: str) -> bool:
    """Whether both are equal, in a time that depends on neither's length nor content."""
    digests = (hashlib.sha256(token.encode()).digest() for token in (given, wanted))
    return hmac.compare_digest(*digests)


def may_enter_studio(authorization: str, token: str) -> bool:
    """Whether an Authorization header brings the token: as bearer, or as what a browser's login asks for."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value, validate=True).decode().partition(":")[2]
        except ValueError:
            return False
    return scheme.lower() in ("basic", "bearer") and same_token(value, token)


def require_token(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
) -> None:
    """Raise Problem (401) unless the request brings the token, where there is one."""
    config: ServeConfig = request.app.state.service.config
    if config.token is None:
        return
    if credentials is None or not same_token(credentials.credentials, config.token):
        raise Problem("unauthorized", "Authorization: expected Bearer TOKEN", headers={"WWW-Authenticate": "Bearer"})
