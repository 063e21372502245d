"""The Triton kernels against the other backends: interpreted, compiled for real GPUs, and on one if there is.

The interpreter is chosen when Triton is imported, so each group of cases runs in a process of its own:
`TRITON_INTERPRET=1 python tests/rendering/test_render_triton.py GROUP` prints the largest error of each case as JSON.
"""

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from wideopen import rendering
from wideopen.lens import Aperture, PaperLook
from wideopen.rendering import BACKENDS, Optics, Sheet

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SHAPES = [Aperture(), Aperture(blades=6, rotation_deg=15), Aperture(blades=7, rotation_deg=3, curvature=0.5)]
DEVICE_LIMITS = 1e-5, 3e-6  # worst seen on an H100 6.3e-6 (50 megapixels; small photos 6e-7), 6.0e-7
needs_device = pytest.mark.skipif(
    rendering.why_no_triton() is not None and os.environ.get("TRITON_INTERPRET") != "1",
    reason=f"{rendering.why_no_triton()}",
)
needs_triton = pytest.mark.skipif(
    find_spec("triton") is None, reason="triton is not installed: pip install 'wideopen[gpu]' (Linux on x86-64 only)"
)


def _sheets(size, rng):
    alpha = rng.random(size, np.float32)
    alpha[alpha < 0.3] = 0
    alpha[alpha > 0.7] = 1
    rgb = rng.random((*size, 3), np.float32)
    return [
        Sheet(rgb=rgb, alpha=None, disparity=rng.random(size, np.float32)),
        Sheet(rgb=rgb * alpha[..., None], alpha=alpha, disparity=rng.random(size, np.float32)),
    ]


def _errors(against, size, aperture, radius, *, quality="exact", planes=7, black=True, **character):
    """Largest errors of thin-lens and paper against the module `against`."""
    from wideopen.rendering import triton as triton_gpu

    rng = np.random.default_rng(3)
    sheets = _sheets(size, rng)
    optics = Optics(
        focus_disparity=0.6,
        focus_range=0.05,
        radius_px=radius,
        planes=planes,
        aperture=aperture,
        quality=quality,
        **character,
    )
    thin = np.abs(triton_gpu.thin_lens(sheets, optics) - against.thin_lens(sheets, optics)).max()
    photo, disparity = rng.random((*size, 3), np.float32), rng.random(size, np.float32)
    if black:
        photo[::2] = 0  # black beside bright: the root would show any rounding
    constants = PaperLook(delta=0.3, a1=0.9, b1=0.0, a2=1.1, b2=0.01, alpha1=3.0, alpha2=3.5)
    optics = replace(optics, focus_range=0.0, planes=planes - 1, paper=constants)
    paper = np.abs(triton_gpu.paper(photo, disparity, optics) - against.paper(photo, disparity, optics)).max()
    return [float(thin), float(paper)]


def _one_of_each():
    """Every kernel, on as few pixels as take it there."""
    from wideopen.rendering import numba as numba_cpu
    from wideopen.rendering import reference

    yield "exact", _errors(reference, (7, 5), SHAPES[1], 9.0, planes=3)
    yield "fast", _errors(numba_cpu, (2, 40), SHAPES[1], 40.0, quality="fast", planes=3)


def _small():
    from wideopen.rendering import reference

    cases = [((1, 1), SHAPES[0]), ((1, 9), SHAPES[1]), *(((7, 5), shape) for shape in SHAPES)]
    for (size, aperture), radius in product(cases, [0.0, 1.3, 9.0, 120.0]):
        yield f"{size} {aperture} {radius}", _errors(reference, size, aperture, radius)


def _wide():
    """Spans that cross segments of the running sums, tiles and blocks of pixels; kernels larger than the photo."""
    from wideopen.rendering import reference

    yield "tiles", _errors(reference, (21, 45), SHAPES[1], 9.0)
    yield "segments", _errors(reference, (3, 200), SHAPES[0], 40.0, planes=5)
    yield "larger than the photo", _errors(reference, (3, 150), SHAPES[2], 200.0, planes=5)


def _pieces():
    """Running sums, and rows of the paper look, a few at a time, as for a photo too large for the budget."""
    from wideopen.rendering import numba as numba_cpu
    from wideopen.rendering.triton import tables

    budget, tables.BUDGET = tables.BUDGET, 20_000
    try:
        yield "exact", _errors(numba_cpu, (21, 40), SHAPES[0], 20.0)
        yield "fast", _errors(numba_cpu, (11, 140), SHAPES[0], 120.0, quality="fast", planes=6)
    finally:
        tables.BUDGET = budget


def _fast():
    from wideopen.rendering import numba as numba_cpu

    yield "fast", _errors(numba_cpu, (9, 300), SHAPES[1], 120.0, quality="fast", planes=6)


def _cat_eye():
    from wideopen.rendering import numba as numba_cpu

    yield "cat's eye", _errors(numba_cpu, (3, 64), SHAPES[2], 11.0, cat_eye=0.8, planes=3)
    yield "swirl", _errors(numba_cpu, (3, 64), SHAPES[0], 11.0, cat_eye=0.9, swirl=30.0, squeeze=1.4, planes=3)


def _rims():
    from wideopen.rendering import numba as numba_cpu

    yield "ring with a rim", _errors(numba_cpu, (7, 40), SHAPES[1], 9.0, ring=0.4, rim=0.7, planes=3)


def _photo(height, width):
    """A slanted floor, and a round subject with a soft edge before it, both of noise, with black rows."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / width
    photo = rng.random((height, width, 3), np.float32)
    photo[::7] = 0
    alpha = np.clip((0.22 - np.hypot(x - 0.5, y - 0.5 * height / width)) * 60 + 0.5, 0, 1)
    floor = np.clip(0.1 + 0.5 * y * width / height, 0, 1)
    return [
        Sheet(rgb=photo, alpha=None, disparity=floor),
        Sheet(rgb=photo * alpha[..., None], alpha=alpha, disparity=np.clip(0.8 + 0.05 * np.sin(9 * x), 0, 1)),
    ]


def _photos(qualities, *size):
    """Real sizes: offsets beyond 2^31 bytes, grids of many tiles; the largest blur is 1.5% of the long side."""
    from wideopen.rendering import numba as numba_cpu
    from wideopen.rendering import triton as triton_gpu

    sheets = _photo(*size)
    lens = {"focus_disparity": 0.8, "radius_px": 0.015 * size[1] / 0.7}
    floor = sheets[0].rgb, sheets[0].disparity
    for quality in qualities:
        optics = Optics(**lens, quality=quality, paper=PaperLook())
        thin = np.abs(triton_gpu.thin_lens(sheets, optics) - numba_cpu.thin_lens(sheets, optics))
        bent = np.abs(triton_gpu.paper(*floor, optics) - numba_cpu.paper(*floor, optics))
        yield quality, [float(thin.max()), float(bent.max())]


SLOW_GROUPS = {"small": _small, "wide": _wide, "pieces": _pieces, "fast": _fast, "cat_eye": _cat_eye, "rims": _rims}
GROUPS = {"one_of_each": _one_of_each, **SLOW_GROUPS}
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in SLOW_GROUPS]
PHOTOS = {
    "2 megapixels": partial(_photos, ("exact", "fast"), 1080, 1920),
    "50 megapixels": partial(_photos, ("fast",), 6120, 8160),
}


def _run(*arguments, **environment):
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@needs_triton
@pytest.mark.parametrize(
    "group", ["one_of_each", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW_GROUPS)]
)
def test_interpreted_kernels_equal_the_other_backends(group):
    errors = _run(__file__, group, TRITON_INTERPRET="1", OMP_NUM_THREADS="1")
    assert errors
    for case, (thin, paper) in errors.items():
        assert thin <= 2e-6, case  # worst seen 6e-7
        assert paper <= 3e-6, case  # worst seen 2.4e-7


@needs_device
@pytest.mark.parametrize("group", [*GROUPS, *PHOTOS])
def test_kernels_on_the_device_equal_the_other_backends(group, record_property):
    errors = dict((GROUPS | PHOTOS)[group]())
    record_property("errors", json.dumps(errors))
    for case, (thin, paper) in errors.items():
        assert thin <= DEVICE_LIMITS[0], case
        assert paper <= DEVICE_LIMITS[1], case


@needs_triton
@pytest.mark.parametrize("capability", [pytest.param(80, marks=pytest.mark.slow), 90])
def test_every_kernel_compiles(capability, tmp_path):
    script = (
        f"import json, sys; sys.path.insert(0, {str(BENCHMARKS)!r})\n"
        "from gpu_kernels import compile_kernels\n"
        f"found = compile_kernels({capability})\n"
        "facts = [[k.metadata.name, k.metadata.target.arch, k.asm['cubin'][:4].hex()] for k in found.values()]\n"
        "print(json.dumps(facts))"
    )
    compiled = _run("-c", script, TRITON_CACHE_DIR=str(tmp_path), TRITON_INTERPRET="0")
    names = {name for name, _, _ in compiled}
    assert names == {"place", "find_used", "near", "plane_sums", "bent_sums", "spread", "lay", "show"}
    assert {arch for _, arch, _ in compiled} == {capability}
    assert {magic for _, _, magic in compiled} == {b"\x7fELF".hex()}


def test_the_reason_why_triton_cannot_run_is_named(monkeypatch):
    why_not = BACKENDS["triton"].why_not
    monkeypatch.setattr(rendering, "find_spec", {"torch": True}.get)
    assert why_not() == "triton is not installed"
    monkeypatch.setattr(rendering, "find_spec", lambda _: True)
    monkeypatch.setattr(rendering, "version", lambda _: "3.2.0")
    assert why_not() == "triton 3.2.0 is installed, 3.6 or later is needed"
    monkeypatch.setattr(rendering, "version", lambda _: "3.7.1")
    monkeypatch.setattr(rendering, "cuda_devices", lambda: 0)
    assert why_not() == "no CUDA device"
    assert list(BACKENDS) == ["triton", "numba", "reference"]  # auto takes the first that can run


if __name__ == "__main__":
    print(json.dumps(dict(GROUPS[sys.argv[1]]())))  # noqa: T201
