"""POST /v1/render: a photo in, a photo with bokeh out."""

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from wideopen.service import answers, openapi, work
from wideopen.service.auth import require_token
from wideopen.service.forms import read_form
from wideopen.service.kinds import FORMATS, format_of, wanted
from wideopen.service.problems import documented
from wideopen.service.routes import service_of
from wideopen.service.schemas import checked

router = APIRouter(prefix="/v1", tags=["render"], dependencies=[Depends(require_token)])


@router.post(
    "/render",
    response_class=Response,
    responses={
        200: openapi.RESULT,
        **documented(
            "bad-request", "unauthorized", "not-acceptable", "slow-body", "too-large", "not-a-photo", "refused",
            "worker-died", "busy", "timed-out",
        ),
    },
    openapi_extra={"requestBody": openapi.form_body("photo", "matte", "disparity", "lens", "maps", "output")},
    operation_id="render",
)  # fmt: skip
async def render(request: Request) -> Response:
    """Render a photo as a fast lens would have taken it.

    The answer is the image; with `Accept: multipart/form-data` it is a report (JSON), the image, matte and disparity.
    """
    service, accepted = service_of(request), wanted(request.headers.get("accept"))
    async with service.job() as job:
        form = await read_form(request, job.folder, service.config.limits, fields=("lens", "maps", "output"))
        word = format_of(form.output.format, accepted, form.photo_format)
        result = work.Result(
            folder=job.folder,
            out=f"result{FORMATS[word][1]}",
            lens=checked(form.lens),
            output=form.output.settings(),
            with_maps=accepted.parts,
        )
        report = await job.run(request, work.render_photo, form.source(job.folder, service.config), result)
        answer = answers.parts if accepted.parts else answers.image
        return answer(result.folder / result.out, word, report)
