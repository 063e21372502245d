"""The HTTP routes: each reads a request, passes the work to a worker and returns the response."""

import asyncio
import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Form, Request, params
from fastapi import Path as PathParameter
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.types import Message, Receive

from wideopen import __version__
from wideopen.service import results, uploads, work
from wideopen.service.problems import Problem, documented
from wideopen.service.results import Accepted, accepted_by, format_of
from wideopen.service.schemas import SETTINGS_BYTES, Analysis, Info, Maps, SceneRender
from wideopen.service.service import Job, Service
from wideopen.service.uploads import FORM_LIMITS, AnalyzeForm, RenderForm, openapi_of
from wideopen.session.open_photo import Given
from wideopen.session.render_file import Job as RenderJob
from wideopen.settings import MapSettings

_BEARER = HTTPBearer(auto_error=False, description="Only where the service was started with a token.")
_FORM = "multipart/form-data"
_JSON_BYTES = 2 * SETTINGS_BYTES


def service_of(request: Request) -> Service:
    """Return the service that handles a request."""
    found: Service = request.app.state.service
    return found


def same_token(given: str, expected: str) -> bool:
    """Compare two tokens in a time that depends on neither their length nor their content."""
    digests = (hashlib.sha256(token.encode()).digest() for token in (given, expected))
    return hmac.compare_digest(*digests)


def require_token(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
) -> None:
    """Raise Problem (401) if the service has a token and the request does not bring it."""
    token = service_of(request).config.token
    if token is not None and (credentials is None or not same_token(credentials.credentials, token)):
        raise Problem("unauthorized", "Authorization: expected Bearer TOKEN", headers={"WWW-Authenticate": "Bearer"})


class WorkRoute(APIRoute):
    """A route that needs a worker; requests are refused before their body is read where possible."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the framework's handler in a `Job` and limit the body."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            service = service_of(request)
            require_token(request, await _BEARER(request))
            if self.body_field is None:
                return await handle(request)
            is_form = isinstance(self.body_field.field_info, params.Form)
            _require_content_type(request, _FORM if is_form else "application/json")
            async with service.job() as job:
                request.state.job = job
                most = service.config.limits.body_bytes if is_form else _JSON_BYTES
                _require_length(request, most)
                receive = _limited(request.receive, job, most_bytes=most, body_s=service.config.limits.body_s)
                return await handle(Request(request.scope, receive))

        return guarded


def _require_content_type(request: Request, expected: str) -> None:
    found = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if found != expected:
        raise Problem("not-a-photo", f"Content-Type: expected {expected}, found {found[:80] or 'none'}")


def _require_length(request: Request, most_bytes: int) -> None:
    """Refuse a body whose Content-Length is too large; the HTTP parser accepts only digits there."""
    if int(request.headers.get("content-length", "0")) > most_bytes:
        raise _too_large(most_bytes)


def _too_large(most_bytes: int) -> Problem:
    return Problem("too-large", f"body: expected at most {most_bytes / 1e6:g} MB, found more")


def _limited(receive: Receive, job: Job, *, most_bytes: int, body_s: float) -> Receive:
    """Return `receive` with limits on the size of the body and the time to read it. Raises Problem (413, 408)."""
    found, end = 0, asyncio.get_running_loop().time() + body_s

    async def limited() -> Message:
        nonlocal found
        try:
            async with asyncio.timeout_at(end if job.is_uploading else None):
                message = await receive()
        except TimeoutError as error:
            detail = f"body: expected all of it within {body_s:g} s, found {found} bytes"
            raise Problem("slow-body", detail, headers={"Connection": "close"}) from error
        found += len(message.get("body", b""))
        if found > most_bytes:
            raise _too_large(most_bytes)
        if not message.get("more_body", False):
            job.upload_done()
        return message

    return limited


def _job_of(request: Request) -> Job:
    found: Job = request.state.job
    return found


async def _require_single_fields(request: Request) -> None:
    """Refuse a form that repeats a field; the framework would silently use the last value."""
    for name, count in Counter(name for name, _ in (await request.form()).multi_items()).items():
        if count > 1:
            raise Problem("refused", f"form: expected one field {name[:80]!r}, found {count}")


CurrentJob = Annotated[Job, Depends(_job_of)]
Accept = Annotated[Accepted, Depends(accepted_by)]
_EXAMPLES: Any = {
    "wide open": {"value": {"lens": {"blur": "4%"}}},
    "pulled focus": {"value": {"lens": {"focus": "d=0.2"}, "output": {"format": "png"}}},
}
RenderSettings = Annotated[SceneRender, Body(openapi_examples=_EXAMPLES)]
SceneId = Annotated[str, PathParameter(alias="id", description="From /v1/analyze.", min_length=1)]
_OF_WORK = ("bad-request", "slow-body", "too-large", "not-a-photo", "refused", "worker-died", "busy", "starting",
            "timed-out")  # fmt: skip
work_routes = APIRouter(prefix="/v1", route_class=WorkRoute)
info_routes = APIRouter(tags=["state"])
state_routes = APIRouter(tags=["state"])


@work_routes.post(
    "/render",
    tags=["render"],
    response_class=Response,
    responses={200: results.DOCUMENTED, **documented(*_OF_WORK, "not-acceptable")},
    dependencies=[Depends(_require_single_fields)],
    openapi_extra=openapi_of(RenderForm),
    form_limits=FORM_LIMITS,
    operation_id="render",
)
async def render(
    request: Request, job: CurrentJob, accepted: Accept, form: Annotated[RenderForm, Form(media_type=_FORM)]
) -> Response:
    """Render a photo as a fast lens would have taken it.

    The answer is the image; with `Accept: multipart/form-data` it is a report (JSON), the image, matte and disparity.
    """
    uploaded = uploads.save(form, job.folder)
    word = format_of(form.output.format, accepted, uploaded.photo_format)
    todo = _with_result(_photo_job(request, form.maps, uploaded), form, job.folder, accepted)
    out = job.folder / f"result{results.FORMATS[word][1]}"
    report = await job.run(request, work.render_photo, uploaded.photo, out, todo)
    return results.response(out, word, report, parts=accepted.parts)


@work_routes.post(
    "/analyze",
    tags=["scenes"],
    status_code=201,
    responses={
        201: {"headers": {"Location": {"description": "Where to render it.", "schema": {"type": "string"}}}},
        **documented(*_OF_WORK),
    },
    dependencies=[Depends(_require_single_fields)],
    openapi_extra=openapi_of(AnalyzeForm),
    form_limits=FORM_LIMITS,
    operation_id="analyze",
)
async def analyze(
    request: Request, response: Response, job: CurrentJob, form: Annotated[AnalyzeForm, Form(media_type=_FORM)]
) -> Analysis:
    """Understand a photo once: matte and disparity. The scene is kept until it was not used for a while."""
    service, uploaded = service_of(request), uploads.save(form, job.folder)
    facts = await job.run(request, work.analyze_photo, uploaded.photo, _photo_job(request, form.maps, uploaded))
    kept = {**facts, "photo": uploaded.photo.name, "format": uploaded.photo_format}
    scene = service.scenes.add(kept, folder=job.folder)
    response.headers["Location"] = f"/v1/scenes/{scene.key}/render"
    return Analysis(id=scene.key, expires_in_s=service.config.scenes.idle_s, **facts)


@work_routes.post(
    "/scenes/{id}/render",
    tags=["scenes"],
    response_class=Response,
    responses={200: results.DOCUMENTED, **documented(*_OF_WORK, "not-acceptable", "no-such-scene")},
    operation_id="render_scene",
)
async def render_scene(
    request: Request, job: CurrentJob, accepted: Accept, scene_id: SceneId, settings: RenderSettings
) -> Response:
    """Render an analysed scene with a lens. Every field may differ from one time to the next."""
    service = service_of(request)
    with service.scene(scene_id) as scene:
        word = format_of(settings.output.format, accepted, scene.value["format"])
        todo = _with_result(_scene_job(request, scene.folder), settings, job.folder, accepted)
        photo, out = scene.folder / scene.value["photo"], job.folder / f"result{results.FORMATS[word][1]}"
        report = await job.run(request, work.render_scene, scene.key, photo, out, todo, scene.value)
    return results.response(out, word, report, parts=accepted.parts)


@work_routes.delete(
    "/scenes/{id}",
    tags=["scenes"],
    status_code=204,
    responses=documented("no-such-scene", "refused"),
    operation_id="remove_scene",
)
async def remove_scene(request: Request, scene_id: SceneId) -> Response:
    """Forget a scene now."""
    service = service_of(request)
    with service.scene(scene_id):
        service.scenes.remove(scene_id)
    return Response(status_code=204)


def _photo_job(request: Request, maps: Maps, uploaded: uploads.Uploaded) -> RenderJob:
    """Return the job for an uploaded photo, without a lens."""
    chosen = maps.settings(service_of(request).config.maps)
    return _render_job(request, chosen, Given(matte=uploaded.matte, disparity=uploaded.disparity))


def _scene_job(request: Request, folder: Path) -> RenderJob:
    """Return the job for an analysed scene, without a lens. Its disparity was filtered before it was stored."""
    maps = replace(service_of(request).config.maps, depth="auto", matting="auto", filter_disparity=False)
    given = Given(matte=folder / f"{work.MATTE}.npy", disparity=folder / f"{work.DISPARITY}.npy")
    return _render_job(request, maps, given)


def _render_job(request: Request, maps: MapSettings, given: Given) -> RenderJob:
    config = service_of(request).config
    return RenderJob(
        maps=maps,
        given=replace(given, max_megapixels=config.limits.megapixels),
        backend=config.backend,
        max_megapixels=config.limits.megapixels,
        originals=False,  # a result names its original by path, which only the client knows
        overwrite=True,  # an uploaded map may have the same name as the returned one
    )


def _with_result(job: RenderJob, form: RenderForm | SceneRender, folder: Path, accepted: Accepted) -> RenderJob:
    return replace(
        job,
        lens=form.lens.settings(),
        output=form.output.settings(),
        save_matte=folder / f"{work.MATTE}.png" if accepted.parts else None,
        save_disparity=folder / f"{work.DISPARITY}.png" if accepted.parts else None,
    )


def _state(name: str) -> dict[int | str, dict[str, Any]]:
    """Document the responses of a health or readiness route."""
    schema = {"type": "object", "required": [name], "properties": {name: {"type": "boolean"}}}
    content = {"application/json": {"schema": schema}}
    return {200: {"description": "Yes", "content": content}, 503: {"description": "No", "content": content}}


@state_routes.get("/healthz", responses=_state("healthy"), response_class=Response, operation_id="health")
async def health(request: Request) -> Response:
    """Whether the process is alive; restart it when it is not."""
    good = not service_of(request).broken
    return JSONResponse({"healthy": good}, 200 if good else 503)


@state_routes.get("/readyz", responses=_state("ready"), response_class=Response, operation_id="ready")
async def ready(request: Request) -> Response:
    """Whether photos may be sent here: a worker has loaded its models, and all kernels are compiled."""
    good = service_of(request).ready
    return JSONResponse({"ready": good}, 200 if good else 503)


@info_routes.get(
    "/metrics",
    response_class=Response,
    responses={200: {"description": "Metrics", "content": {"text/plain": {"schema": {"type": "string"}}}}},
    operation_id="metrics",
)
async def metrics(request: Request) -> Response:
    """For Prometheus."""
    return Response(service_of(request).metrics.page(), headers={"Content-Type": CONTENT_TYPE_LATEST})


@info_routes.get("/v1/info", operation_id="info")
async def info(request: Request) -> Info:
    """What the service is and allows."""
    config = service_of(request).config
    return Info(
        version=__version__,
        formats_in=results.formats_in(),
        formats_out=results.formats_out(),
        most_mb=config.limits.body_mb,
        most_megapixels=config.limits.megapixels,
        request_s=config.limits.request_s,
        workers=config.workers,
        waiting=config.waiting,
        scenes=config.scenes.most,
        scene_idle_s=config.scenes.idle_s,
        maps={name: getattr(config.maps, name) for name in Maps.model_fields},
    )
