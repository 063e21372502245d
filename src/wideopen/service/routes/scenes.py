"""POST /v1/analyze, then POST /v1/scenes/{id}/render as often as wanted: slow once, fast again and again."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from wideopen.service import answers, openapi, work
from wideopen.service.auth import require_token
from wideopen.service.forms import read_form, read_json
from wideopen.service.kinds import FORMATS, format_of, wanted
from wideopen.service.operation import ServeConfig
from wideopen.service.problems import documented
from wideopen.service.routes import service_of
from wideopen.service.scenes import Kept
from wideopen.service.schemas import Analysis, SceneRender, checked

router = APIRouter(prefix="/v1", tags=["scenes"], dependencies=[Depends(require_token)])
SceneId = Annotated[str, Path(alias="id", description="From /v1/analyze.", min_length=1)]


@router.post(
    "/analyze",
    status_code=201,
    responses={
        201: openapi.ANALYSIS,
        **documented(
            "bad-request", "unauthorized", "slow-body", "too-large", "not-a-photo", "refused", "worker-died", "busy",
            "timed-out",
        ),
    },
    openapi_extra={"requestBody": openapi.form_body("photo", "matte", "disparity", "maps")},
    operation_id="analyze",
)  # fmt: skip
async def analyze(request: Request, response: Response) -> Analysis:
    """Understand a photo once: matte and disparity. The scene is kept until it was not used for a while."""
    service = service_of(request)
    async with service.job() as job:
        form = await read_form(request, job.folder, service.config.limits, fields=("maps",))
        found = await job.run(request, work.analyze_photo, form.source(job.folder, service.config))
        scene = service.scenes.add(job.folder, {**found, "photo": form.photo, "format": form.photo_format})
    response.headers["Location"] = f"/v1/scenes/{scene.id}/render"
    return Analysis(id=scene.id, expires_in_s=service.config.scenes.idle_s, **found)


@router.post(
    "/scenes/{id}/render",
    response_class=Response,
    responses={
        200: openapi.RESULT,
        **documented(
            "bad-request", "unauthorized", "no-such-scene", "not-acceptable", "slow-body", "too-large", "not-a-photo",
            "refused", "worker-died", "busy", "timed-out",
        ),
    },
    openapi_extra={"requestBody": openapi.json_body()},
    operation_id="render_scene",
)  # fmt: skip
async def render_scene(request: Request, scene_id: SceneId) -> Response:
    """Render an analysed scene with a lens. Every field may differ from one time to the next."""
    service, accepted = service_of(request), wanted(request.headers.get("accept"))
    async with service.job() as job:
        with service.scenes.using(scene_id) as scene:
            asked = await read_json(request, SceneRender, service.config.limits)
            word = format_of(asked.output.format, accepted, scene.facts["format"])
            result = work.Result(
                folder=job.folder,
                out=f"result{FORMATS[word][1]}",
                lens=checked(asked.lens),
                output=asked.output.settings(),
                with_maps=accepted.parts,
            )
            source = _source(scene, service.config)
            report = await job.run(request, work.render_scene, scene.id, source, result, scene.facts)
        answer = answers.parts if accepted.parts else answers.image
        return answer(result.folder / result.out, word, report)


@router.delete(
    "/scenes/{id}",
    status_code=204,
    responses=documented("unauthorized", "no-such-scene"),
    operation_id="remove_scene",
)
async def remove_scene(request: Request, scene_id: SceneId) -> Response:
    """Forget a scene now."""
    service_of(request).scenes.remove(scene_id)
    return Response(status_code=204)


def _source(scene: Kept, config: ServeConfig) -> work.Source:
    return work.Source(
        folder=scene.folder,
        photo=scene.facts["photo"],
        matte=f"{work.MATTE}.npy",
        disparity=f"{work.DISPARITY}.npy",
        maps=replace(config.maps, depth="auto", matting="auto", filter_disparity=False),  # the kept one is filtered
        backend=config.backend,
        max_megapixels=config.limits.megapixels,
    )
