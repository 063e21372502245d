"""Render one photo from file to file, for `wideopen render` and everything else that writes results."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from wideopen.backends import usable
from wideopen.errors import WideopenError
from wideopen.files import Keep, write, write_map
from wideopen.files.write import lost_hdr
from wideopen.lens import Lens
from wideopen.pipeline import render
from wideopen.rendering import BACKENDS
from wideopen.session.first_run import kernels_meanwhile
from wideopen.session.open_photo import Job, Opened, open_photo
from wideopen.session.results import check_result, make_folder
from wideopen.timing import SILENT, Steps, timed

PAPER_IS_STANDARD = "the look paper has no light above white: the standard picture was rendered"


@contextmanager
def user_names(*names: tuple[str, str]) -> Iterator[None]:
    """In errors raised in the block, replace texts in the message: paths of copies by the names that the user knows."""
    try:
        yield
    except WideopenError as error:
        message = str(error)
        for path, name in names:
            message = message.replace(path, name)
        raise type(error)(message) from error


def render_file(photo: Path, out: Path, job: Job, *, step: Steps = SILENT) -> dict[str, Any]:
    """Read, analyse, render and write a photo; returns the report that `wideopen render --json` prints.

    The result is written atomically, after the requested maps. Raises InvalidInput, before the photo is opened if an
    output cannot be written; WeightsError; BackendUnavailable.
    """
    seconds: dict[str, float] = {}
    with timed(seconds, "total"):
        usable(BACKENDS, job.backend)  # refuse a backend that cannot run here before the slow part
        inputs, new_folder = [photo, *job.given.files], not out.parent.exists()
        check_result(out, job.output, inputs=inputs, overwrite=job.overwrite, new_folder=new_folder)
        with kernels_meanwhile(job.backend, job.lens.look, step):
            opened = open_photo(photo, job, step)
        report = render_opened(opened, out, job, step=step, last=True)
    report["seconds"] = opened.scene.maps.seconds | report["seconds"] | seconds
    return report


def render_opened(opened: Opened, out: Path, job: Job, *, step: Steps = SILENT, last: bool = False) -> dict[str, Any]:
    """The second half of `render_file`: render and write; `seconds` in the report covers these two steps.

    last: whether the photo's light may be overwritten with the result.
    """
    seconds: dict[str, float] = {}
    scene, output = opened.scene, job.output
    lens = job.lens.lens(scene)
    step("rendering")
    with timed(seconds, "render"):
        into = None if not last or (scene.hdr is not None and scene.hdr.needs_light) else scene.rgb
        image = render(scene, lens, backend=job.backend, into=into)
    step("writing")
    with timed(seconds, "write"):
        make_folder(out.parent)
        if job.save_matte is not None:
            write_map(job.save_matte, scene.matte, outline=scene.maps.outline, overwrite=job.overwrite)
        if job.save_disparity is not None:
            write_map(job.save_disparity, scene.disparity, overwrite=job.overwrite)
        keep = Keep(matte=scene.matte, disparity=scene.disparity, outline=scene.maps.outline)
        like = replace(opened.photo, hdr=None) if lens.look == "paper" else opened.photo  # it has no light above white
        write(  # last, so that it exists only if everything succeeded
            out,
            image,
            like=like,
            quality=output.output_quality,
            bits=output.output_bits,
            hdr=output.hdr,
            keep=keep if output.keep_depth else None,
            overwrite=job.overwrite,
        )
    report = _report(opened, lens, out, job.backend)
    if output.hdr != "off" and opened.photo.hdr is not None:
        lost = PAPER_IS_STANDARD if lens.look == "paper" else lost_hdr(out, like, output.output_bits, output.hdr)
        report["notes"] += [lost] if lost else []
    return report | {"seconds": seconds}


def _report(opened: Opened, lens: Lens, out: Path, backend: str) -> dict[str, Any]:
    """The report on a photo as JSON values, without the times."""
    scene = opened.scene
    return {
        "photo": str(opened.path),
        "out": str(out),
        **opened.facts,
        "look": lens.look,
        "focus_disparity": round(lens.focus_disparity, 4),
        "focus_range": round(lens.focus_range, 4) if lens.look == "thin-lens" else 0.0,
        "radius_px": round(lens.max_radius * scene.long_side_px, 2),
        "grain": round(scene.grain.codes if lens.grain is None else lens.grain, 2),
        "backend": usable(BACKENDS, backend),
    }
