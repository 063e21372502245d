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
from wideopen.matting import Outline
from wideopen.service import photo_files, schemas, work
from wideopen.service.photo_files import PARTS, Accepted
from wideopen.service.problems import Problem, documented
from wideopen.service.service import RequestJob, Service
from wideopen.session.open_photo import Job

_BEARER = HTTPBearer(auto_error=False, description="Required if the service was started with a token.")
_JSON_BYTES = 2 * schemas.SETTINGS_BYTES


def service_of(request: Request) -> Service:
    """Return the service that handles a request."""
    return request.app.state.service


def same_token(given: str, expected: str) -> bool:
    """Compare two tokens in a time that depends on neither their length nor their content."""
    digests = (hashlib.sha256(token.encode()).digest() for token in (given, expected))
    return hmac.compare_digest(*digests)


def require_token(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
) -> None:
    """Raise Problem (401) if the service has a token and the request does not bring it."""
    token = service_of(request).settings.token
    if token is not None and (credentials is None or not same_token(credentials.credentials, token)):
        raise Problem("unauthorized", "Authorization: expected Bearer TOKEN", headers={"WWW-Authenticate": "Bearer"})


class WorkRoute(APIRoute):
    """A route that needs a worker; requests are refused before their body is read where possible."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the framework's handler in a `RequestJob` and limit the body."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            service = service_of(request)
            require_token(request, await _BEARER(request))
            if self.body_field is None:
                return await handle(request)
            is_form = isinstance(self.body_field.field_info, params.Form)
            expected = PARTS if is_form else "application/json"
            found = request.headers.get("content-type", "").split(";")[0].strip().lower()
            if found != expected:
                raise Problem("not-a-photo", f"Content-Type: expected {expected}, found {found[:80] or 'none'}")
            async with service.job() as job:
                request.state.job = job
                most = round(service.settings.max_mb * 1e6) if is_form else _JSON_BYTES
                too_large = Problem("too-large", f"body: expected at most {most / 1e6:g} MB, found more")
                if int(request.headers.get("content-length", "0")) > most:  # the HTTP parser accepts only digits there
                    raise too_large
                receive = _limited(request.receive, job, most, too_large, service.settings.body_timeout)
                return await handle(Request(request.scope, receive))

        return guarded


def _limited(receive: Receive, job: RequestJob, most_bytes: int, too_large: Problem, body_s: float) -> Receive:
    """Return `receive` with limits on the size of the body and on the time to read it. Raises Problem (413, 408)."""
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
            raise too_large
        if not message.get("more_body", False):
            job.upload_done()
        return message

    return limited


async def _require_single_fields(request: Request) -> None:
    """Refuse a form that repeats a field; the framework would silently use the last value."""
    for name, count in Counter(name for name, _ in (await request.form()).multi_items()).items():
        if count > 1:
            raise Problem("refused", f"form: expected one field {name[:80]!r}, found {count}")


Accept = Annotated[Accepted, Depends(photo_files.accepted_by)]
_EXAMPLES: Any = {
    "wide open": {"value": {"lens": {"blur": "4%"}}},
    "pulled focus": {"value": {"lens": {"focus": "d=0.2"}, "output": {"format": "png"}}},
}
RenderSettings = Annotated[schemas.SceneRender, Body(openapi_examples=_EXAMPLES)]
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
    responses={200: photo_files.DOCUMENTED, **documented(*_OF_WORK, "not-acceptable")},
    dependencies=[Depends(_require_single_fields)],
    openapi_extra=schemas.openapi_of(schemas.RenderForm),
    form_limits=schemas.FORM_LIMITS,
    operation_id="render",
)
async def render(
    request: Request, accepted: Accept, form: Annotated[schemas.RenderForm, Form(media_type=PARTS)]
) -> Response:
    """Render a photo as if taken with a fast lens wide open.

    Returns the image; with `Accept: multipart/form-data`, a report (JSON), the image, the matte and the disparity.
    """
    photo, photo_format, job = _saved(request, form)
    return await _render(request, accepted, form, photo_format, job, work.render_photo, photo)


@work_routes.post(
    "/analyze",
    tags=["scenes"],
    status_code=201,
    responses={
        201: {"headers": {"Location": {"description": "Route that renders the scene.", "schema": {"type": "string"}}}},
        **documented(*_OF_WORK),
    },
    dependencies=[Depends(_require_single_fields)],
    openapi_extra=schemas.openapi_of(schemas.AnalyzeForm),
    form_limits=schemas.FORM_LIMITS,
    operation_id="analyze",
)
async def analyze(
    request: Request, response: Response, form: Annotated[schemas.AnalyzeForm, Form(media_type=PARTS)]
) -> schemas.Analysis:
    """Find a photo's matte and disparity. The scene is kept until it has been unused for `scene_minutes`."""
    service, running = service_of(request), request.state.job
    photo, photo_format, job = _saved(request, form)
    facts = await running.run(request, work.analyze_photo, photo, job)
    scene = service.scenes.add({**facts, "photo": photo.name, "format": photo_format}, folder=running.folder)
    response.headers["Location"] = f"/v1/scenes/{scene.key}/render"
    return schemas.Analysis(id=scene.key, expires_in_s=60 * service.settings.scene_minutes, **facts)


@work_routes.post(
    "/scenes/{id}/render",
    tags=["scenes"],
    response_class=Response,
    responses={200: photo_files.DOCUMENTED, **documented(*_OF_WORK, "not-acceptable", "no-such-scene")},
    operation_id="render_scene",
)
async def render_scene(request: Request, accepted: Accept, scene_id: SceneId, settings: RenderSettings) -> Response:
    """Render an analysed scene with a lens. Every setting may differ between calls."""
    with service_of(request).scene(scene_id) as scene:
        facts = scene.value
        matte, disparity = (scene.folder / f"{name}.npy" for name in (work.MATTE, work.DISPARITY))
        job = _job(request).with_maps(matte, disparity, Outline(facts["outline"]))
        photo = scene.folder / facts["photo"]
        task = (work.render_scene, photo, scene.key, facts)
        return await _render(request, accepted, settings, facts["format"], job, *task)


@work_routes.delete(
    "/scenes/{id}",
    tags=["scenes"],
    status_code=204,
    responses=documented("no-such-scene", "refused"),
    operation_id="remove_scene",
)
async def remove_scene(request: Request, scene_id: SceneId) -> Response:
    """Delete a scene."""
    with service_of(request).scene(scene_id):
        service_of(request).scenes.remove(scene_id)
    return Response(status_code=204)


def _job(request: Request) -> Job:
    """Return the job for a photo whose maps are not known, without a lens."""
    settings = service_of(request).settings
    return Job.of_upload(settings.maps, settings.backend, settings.max_megapixels)


def _saved(request: Request, form: schemas.AnalyzeForm) -> tuple[Path, str, Job]:
    """Save the files of a form; return (the photo, its format, its job without a lens)."""
    job = _job(request)
    photo, photo_format, given = photo_files.save(form, request.state.job.folder, job.given)
    return photo, photo_format, replace(job, maps=form.maps.settings(job.maps), given=given)


async def _render(
    request: Request,
    accepted: Accepted,
    settings: schemas.RenderForm | schemas.SceneRender,
    photo_format: str,
    job: Job,
    function: Callable[..., dict[str, Any]],
    *arguments: Any,
) -> Response:
    """Run `function(out, job, *arguments)` in a worker, with lens and output in the job; return the result."""
    running: RequestJob = request.state.job
    word = photo_files.format_of(settings.output.format, accepted, photo_format)
    out = running.folder / f"result{photo_files.BY_WORD[word].extensions[0]}"
    job = replace(
        job,
        lens=settings.lens.settings(),
        output=settings.output.settings(),
        save_matte=running.folder / f"{work.MATTE}.png" if accepted.parts else None,
        save_disparity=running.folder / f"{work.DISPARITY}.png" if accepted.parts else None,
    )
    report = await running.run(request, function, out, job, *arguments)
    return await asyncio.to_thread(photo_files.to_response, out, word, report, parts=accepted.parts)


def _state(name: str) -> dict[int | str, dict[str, Any]]:
    """Document the responses of a health or readiness route."""
    schema = {"type": "object", "required": [name], "properties": {name: {"type": "boolean"}}}
    content = {"application/json": {"schema": schema}}
    return {200: {"description": "Yes", "content": content}, 503: {"description": "No", "content": content}}


@state_routes.get("/healthz", responses=_state("healthy"), response_class=Response, operation_id="health")
async def health(request: Request) -> Response:
    """Whether the process works; if not, restart it."""
    good = not service_of(request).broken
    return JSONResponse({"healthy": good}, 200 if good else 503)


@state_routes.get("/readyz", responses=_state("ready"), response_class=Response, operation_id="ready")
async def ready(request: Request) -> Response:
    """Whether photos are accepted: a worker has loaded its models, and all kernels are compiled."""
    good = service_of(request).ready
    return JSONResponse({"ready": good}, 200 if good else 503)


@info_routes.get(
    "/metrics",
    response_class=Response,
    responses={200: {"description": "Metrics", "content": {"text/plain": {"schema": {"type": "string"}}}}},
    operation_id="metrics",
)
async def metrics(request: Request) -> Response:
    """Metrics for Prometheus."""
    return Response(service_of(request).metrics.page(), headers={"Content-Type": CONTENT_TYPE_LATEST})


@info_routes.get("/v1/info", operation_id="info")
async def info(request: Request) -> schemas.Info:
    """Version, formats and limits of the service."""
    service, (readable, writable) = service_of(request), photo_files.known_formats()
    return schemas.Info(
        version=__version__,
        formats_in=readable,
        formats_out=writable,
        workers=service.size.workers,
        waiting=service.waiting,
        maps={name: getattr(service.settings.maps, name) for name in schemas.MapsModel.model_fields},
        **{name: getattr(service.settings, name) for name in schemas.LIMITS},
    )
