"""Health, readiness, metrics, and what the service is."""

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from wideopen.service import openapi
from wideopen.service.auth import require_token
from wideopen.service.kinds import formats_in, formats_out
from wideopen.service.metrics import CONTENT_TYPE_LATEST
from wideopen.service.problems import documented
from wideopen.service.routes import service_of
from wideopen.service.schemas import Info, Maps

router = APIRouter(tags=["state"])
_PROTECTED = [Depends(require_token)]


@router.get("/healthz", responses=openapi.state("healthy"), response_class=Response, operation_id="health")
async def health(request: Request) -> Response:
    """Whether the service lives; when not, it should be started anew."""
    good = not service_of(request).broken
    return JSONResponse({"healthy": good}, 200 if good else 503)


@router.get("/readyz", responses=openapi.state("ready"), response_class=Response, operation_id="ready")
async def ready(request: Request) -> Response:
    """Whether requests may be sent here: the workers have loaded their models."""
    good = service_of(request).ready
    return JSONResponse({"ready": good}, 200 if good else 503)


@router.get(
    "/metrics",
    dependencies=_PROTECTED,
    response_class=Response,
    responses={200: openapi.METRICS, **documented("unauthorized")},
    operation_id="metrics",
)
async def metrics(request: Request) -> Response:
    """For Prometheus."""
    return Response(service_of(request).metrics.page(), headers={"Content-Type": CONTENT_TYPE_LATEST})


@router.get("/v1/info", dependencies=_PROTECTED, responses=documented("unauthorized"), operation_id="info")
async def info(request: Request) -> Info:
    """What the service is and allows."""
    from wideopen import __version__

    config = service_of(request).config
    return Info(
        version=__version__,
        formats_in=formats_in(),
        formats_out=formats_out(),
        most_mb=config.limits.body_mb,
        most_megapixels=config.limits.megapixels,
        request_s=config.limits.request_s,
        workers=config.workers,
        waiting=config.waiting,
        scenes=config.scenes.most,
        scene_idle_s=config.scenes.idle_s,
        maps={name: getattr(config.maps, name) for name in Maps.model_fields},
    )
