"""The method from end to end: `analyze` a photo once, then `render` it with any number of lenses.

photo -> matte -> disparity -> disparity filtered along the matte -> sheets | -> multi-plane image -> photo with bokeh
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import cv2
import numpy as np

from wideopen.arrays.maps import shows_outline
from wideopen.arrays.transfer import decode, encode
from wideopen.backends import pick, require_known
from wideopen.checks import F32, require, require_rgb, require_unit_map
from wideopen.color import Encoding
from wideopen.disparity.along_matte import filter_along_matte
from wideopen.disparity.depth_map import DepthMap, subject_disparity
from wideopen.disparity.evident import evident_disparity
from wideopen.disparity.find_disparity import find_disparity
from wideopen.grain import BACKENDS as GRAINERS
from wideopen.grain import NO_GRAIN, Grain
from wideopen.grain.estimate import estimate_grain
from wideopen.grain.left_by_blur import Shares, kept_by_paper, paper_layers
from wideopen.hdr import Hdr
from wideopen.hdr.standard import standard_light
from wideopen.lens import Lens
from wideopen.matting import Outline
from wideopen.matting.clean import without_nearer_parts
from wideopen.matting.find_matte import Matter, emptiness, pick_matter
from wideopen.optics import Optics, optics_of
from wideopen.photo import Photo, display_u8, to_srgb
from wideopen.rendering import BACKENDS as RENDERERS
from wideopen.settings import MapSettings
from wideopen.sheets import BACKENDS as SEPARATORS
from wideopen.sheets import Separator, Sheet
from wideopen.sheets.photo_sheets import PhotoSheets
from wideopen.sheets.prepare import prepare_sheets, with_radiance
from wideopen.sheets.rims import Rims
from wideopen.timing import SILENT, timed

LOG = logging.getLogger(__name__)
AUTOMATIC = MapSettings()
MOST_FOCUS_RANGE = 0.1
"""Largest half-width of the automatic focus range, in disparity; a deeper subject is not all sharp."""


MOST_HELD = 3 * 16_000_000
"""Values of a photo whose sheets are kept from its second rendering on: 0.7 of the time of making them anew."""
ABOVE_WHITE = 1.01  # an array of light with more than this is not clipped at white; rounding may exceed 1 a little


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Maps:
    """The maps of a photo, matte and disparity, and their sources."""

    matte: F32  # (H, W) in [0, 1]
    disparity: F32  # (H, W) in [0, 1]
    matte_source: str = "given"
    disparity_source: str = "given"
    disparity_filtered: bool = False
    notes: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    outline: Outline = Outline.FOUND  # of the matte


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """An analyzed photo: everything that does not depend on the lens."""

    rgb: F32  # (H, W, 3) linear light
    encoding: Encoding
    sheets: Sequence[Sheet]  # farthest first; background and, if there is one, subject among them
    maps: Maps
    hdr: Hdr | None = None  # if `rgb` is the scene's light above white, too
    grain: Grain = NO_GRAIN  # of the photo
    rims: Rims | None = None  # where the subject may extend slightly beyond its matte

    @property
    def matte(self) -> F32:
        """(H, W) coverage of the subject in [0, 1]."""
        return self.maps.matte

    @property
    def disparity(self) -> F32:
        """(H, W) in [0, 1], 1 = nearest."""
        return self.maps.disparity

    @property
    def long_side_px(self) -> int:
        """The photo's long side in pixels."""
        return max(self.rgb.shape[:2])

    @property
    def has_subject(self) -> bool:
        """False when the matte is empty or covers everything: the whole photo is then blurred by disparity."""
        return shows_outline(self.matte)

    def focus_on_subject(self) -> tuple[float, float]:
        """(focus_disparity, focus_range) that keep the subject sharp; without one, what stands out in the photo."""
        middle, spread = subject_disparity(self.disparity, self.matte)
        if np.isnan(middle):
            return evident_disparity(self.disparity, self.rgb), 0.0
        return middle, min(spread, MOST_FOCUS_RANGE) if self.has_subject else 0.0

    def disparity_at(self, x: float, y: float) -> float:
        """Disparity at a point of the photo as displayed, pixels from its upper left corner.

        Raises InvalidInput outside the photo.
        """
        height, width = self.disparity.shape
        require(
            0 <= x < width and 0 <= y < height, f"focus: expected a point within {width} x {height}, found {x:g},{y:g}"
        )
        return float(self.disparity[int(y), int(x)])


def understand(
    photo: Photo | F32,
    settings: MapSettings = AUTOMATIC,
    *,
    matte: F32 | Matter | None = None,
    matte_hint: F32 | None = None,
    disparity: F32 | None = None,
    embedded: DepthMap | None = None,
    on_step: Callable[[str], None] = SILENT,
) -> Maps:
    """The first half of `analyze`: matte and disparity. Same arguments and errors."""
    require(
        disparity is None or settings.depth in ("auto", "planar"),
        f"disparity and depth: expected one of them, found a disparity map and depth={settings.depth!r}",
    )
    require(matte is None or matte_hint is None, "matte and matte_hint: expected one of them, found both")
    source = _as_photo(photo)
    hint = None if matte_hint is None else require_unit_map("matte_hint", matte_hint, like=source.rgb)
    shown = cache(lambda: display_u8(source))  # (H, W, 3) uint8 and its encoding
    seconds: dict[str, float] = {}
    matte_source, disparity_source, outline = "given", "given", Outline.EXACT
    notes: tuple[str, ...] = ()
    known: Future[F32] = Future()  # the matte
    with ThreadPoolExecutor(1) as beside:
        found = None
        if disparity is None:
            if settings.depth != "planar":
                shown()  # once, for both
            found = beside.submit(
                find_disparity,
                known.result,
                lambda: to_srgb(*shown()),
                settings.depth,
                embedded,
                settings.device,
                guide=lambda: shown()[0],
            )
        try:
            if matte is None or callable(matte):
                on_step("matte")
                outline = Outline.FOUND
                with timed(seconds, "matte"):
                    matter, matte_source = pick_matter(settings, matte, hint, shown()[1])
                    if settings.matting_start == "auto" and matte_source.endswith("started by isnet"):
                        notes = ("isnet is on disk: the matte starts from it (--matting-start none leaves it out)",)
                    matte = matter(shown()[0])
            alpha = require_unit_map("matte", matte, like=source.rgb)
        except BaseException as error:
            known.set_exception(error)
            raise
        known.set_result(alpha)
        on_step("disparity")
        with timed(seconds, "disparity"):
            if found is not None:
                of = found.result()
                d, disparity_source, notes = of.disparity, of.source, (*notes, *of.notes)
            else:
                d = require_unit_map("disparity", disparity, like=source.rgb)
            independent = found is None or not of.along_matte
            if independent and outline is Outline.FOUND:
                alpha = without_nearer_parts(alpha, d)
            filtered = settings.filter_disparity and independent
            if filtered:
                d = filter_along_matte(d, alpha, source.rgb, in_place=found is not None)
    return Maps(
        matte=alpha,
        disparity=d,
        matte_source=matte_source,
        disparity_source=disparity_source,
        disparity_filtered=filtered,
        notes=(*_notes(alpha, d, planar=disparity_source == "planar"), *notes),
        seconds=seconds,
        outline=outline,
    )


def take_apart(
    photo: Photo | F32, maps: Maps, *, backend: str = "auto", on_step: Callable[[str], None] = SILENT
) -> Scene:
    """The second half of `analyze`: the sheets and the photo's grain. Same arguments and errors."""
    source = _as_photo(photo)
    separator = _separator(backend)
    on_step("sheets")
    with timed(maps.seconds, "sheets"), ThreadPoolExecutor(1) as beside:
        grain = beside.submit(estimate_grain, source.rgb, source.encoding)
        sheets = prepare_sheets(source.rgb, maps.matte, maps.disparity, separator, clipped=source.hdr is None)
    rims = None
    if len(sheets) > 1 and isinstance(sheets, PhotoSheets) and maps.outline is not Outline.EXACT:
        rims = Rims(sheets, examine=maps.outline is Outline.GIVEN)
    return Scene(
        rgb=source.rgb,
        encoding=source.encoding,
        sheets=sheets,
        maps=maps,
        hdr=source.hdr,
        grain=grain.result(),
        rims=rims,
    )


def analyze(
    photo: Photo | F32,
    settings: MapSettings = AUTOMATIC,
    *,
    matte: F32 | Matter | None = None,
    matte_hint: F32 | None = None,
    disparity: F32 | None = None,
    embedded: DepthMap | None = None,
    exact_matte: bool | None = None,
    backend: str = "auto",
    on_step: Callable[[str], None] = SILENT,
    **options: Any,
) -> Scene:
    """Find the matte, the disparity and the sheets of a photo. Slow, but needed only once per photo.

    photo: from `wideopen.read`, or (H, W, 3) linear light with sRGB primaries. If that exceeds white, it is taken for
      the scene's own light, and no highlights are estimated.
    settings: how to find a matte or disparity that is not given; the options of `wideopen render`. No downloads:
      depth "auto" takes `embedded` if given, else the default depth network if its weights are on disk, else the one
      inside the package. `wideopen.disparity.hub.fetch` downloads weights.
    matte: (H, W) coverage of the subject in [0, 1], or a function that returns it for the photo (H, W, 3) uint8,
      sRGB-encoded; None = from the network that `settings` names.
    matte_hint: (H, W) in [0, 1] for the network, instead of a matte: a rough mask, scribble or trimap, 1 = subject,
      0 = not, 0.5 = unknown.
    disparity: (H, W) in [0, 1], 1 = nearest; None = from the source that `settings` names.
    embedded: the depth map in the photo's file, for depth "auto" and "embedded".
    exact_matte: whether the subject ends where the matte does; None = a given array is exact, a network's is not.
      If not, ground in focus behind a blurred subject is continued from farther away, so that no rim remains.
    on_step: called with the name of each step as it begins.
    options: single fields of `settings` by name: depth="planar".
    Raises InvalidInput for arrays of different sizes, out of range or not finite; WeightsError; BackendUnavailable.

    >>> import numpy as np
    >>> photo = np.linspace(0, 1, 32 * 24 * 3, dtype=np.float32).reshape(32, 24, 3)
    >>> matte = np.zeros((32, 24), np.float32); matte[8:, 6:18] = 1
    >>> scene = analyze(photo, depth="planar", matte=matte, backend="reference")
    >>> scene.maps.matte_source, scene.maps.disparity_source
    ('given', 'planar')
    """
    settings = replace(settings, **options)
    source = _as_photo(photo)
    _separator(backend)  # refuse an unusable backend before the slow part
    maps = understand(
        source, settings, matte=matte, matte_hint=matte_hint, disparity=disparity, embedded=embedded, on_step=on_step
    )
    if exact_matte is not None:
        maps = replace(maps, outline=Outline.EXACT if exact_matte else Outline.FOUND)
    return take_apart(source, maps, backend=backend, on_step=on_step)


def _separator(backend: str) -> Separator:
    require_known(RENDERERS, backend)  # the renderers' names: sheets have fewer backends
    on_cpu = backend in RENDERERS and backend not in SEPARATORS  # torch and triton render; sheets are made on the CPU
    return pick(SEPARATORS, "auto" if on_cpu else backend)[1]


def _as_photo(photo: Photo | F32) -> Photo:
    if isinstance(photo, Photo):
        return photo
    rgb = require_rgb("photo", photo)
    most = float(rgb.max())
    return Photo(rgb=rgb, hdr=Hdr(kind="floats", headroom=most) if most > ABOVE_WHITE else None)


def _notes(alpha: F32, disparity: F32, *, planar: bool) -> tuple[str, ...]:
    """What the user should know about the analysis, as lines."""
    notes = []
    if planar and not shows_outline(alpha):
        remedy = "--depth small or another network, --disparity or --matte-hint would help"
        return (f"no subject found, and planar finds no depth without one: the photo stays unchanged ({remedy})",)
    if alpha.max() < 0.5:
        notes.append("no subject in the matte: the blur follows the disparity alone")
    elif (note := emptiness(alpha)) is not None:
        notes.append(note)
    elif alpha.min() > 0.5:
        notes.append("the matte covers the whole photo: the blur follows the disparity alone")
    if disparity.max() - disparity.min() < 1e-6:
        notes.append("the disparity is constant: everything lies at one distance")
    return tuple(notes)


def hold_sheets(scene: Scene) -> None:
    """Keep the sheets of a scene that will be rendered several times, unless they are too large."""
    if isinstance(scene.sheets, PhotoSheets) and scene.rgb.size <= MOST_HELD:
        scene.sheets.hold()


def render(scene: Scene, lens: Lens, *, backend: str = "auto", into: F32 | None = None) -> F32:
    """Return the photo (H, W, 3), linear light, as `lens` sees it. Fast.

    into: an array that the thin lens may use for the result; with `scene.rgb` the scene cannot be rendered again, but
    a photo of 200 megapixels takes 2.4 GB less. Raises BackendUnavailable for a named backend that cannot run here.

    >>> import numpy as np
    >>> photo = np.full((16, 12, 3), 0.5, np.float32)
    >>> scene = analyze(photo, matte=np.zeros((16, 12), np.float32), backend="reference")
    >>> image = render(scene, Lens(focus_disparity=1.0, max_radius=0.2), backend="reference")
    >>> bool(np.allclose(image, 0.5, atol=1e-5))      # a flat field stays flat
    True
    """
    name, renderer = pick(RENDERERS, backend)
    LOG.info("look %s, backend %s", lens.look, name)
    optics = optics_of(lens, scene.long_side_px)
    grain = scene.grain if lens.grain is None else scene.grain.with_codes(lens.grain)
    _, grainer = pick(GRAINERS, backend if backend in GRAINERS else "auto")
    if lens.look == "paper":
        image = _render_paper(scene, optics, renderer.paper)
        if grain:
            kept = kept_by_paper(scene.disparity, optics, optics.constants, grain.size_px)
            layers = paper_layers(scene.disparity, scene.matte if scene.has_subject else None, kept)
            grainer.add_grain(image, layers, grain, scene.encoding)
        return image
    if isinstance(scene.sheets, PhotoSheets) and "extremes" in scene.sheets.found:  # this is not the first time
        hold_sheets(scene)
    sheets = scene.sheets if scene.rims is None else scene.rims.cleaned(optics)
    sheets = with_radiance(sheets, lens.highlights)
    if isinstance(sheets, PhotoSheets):
        # Guessed light shows only where it spreads; without blur it would turn codes of 252 to 254 into white.
        sheets = replace(sheets, optics=optics, lamps=sheets.lamps if optics.radius_px > 0 else None)
    shares = Shares(scene.sheets, optics, grain.size_px) if grain else None

    def finish(image: F32, top: int, rows: Sequence[Sheet]) -> None:
        if shares is not None:
            above = scene.hdr is not None
            grainer.add_grain(image, shares.layers(rows), grain, scene.encoding, top, len(scene.rgb), above=above)

    if name == "numba":  # works its way down the photo
        return renderer.thin_lens(sheets, optics, finish, into)
    whole = tuple(sheets)
    image = _by_colour(lambda one: renderer.thin_lens(whole, one), optics)
    finish(image, 0, whole)
    return image


def _by_colour(draw: Callable[[Optics], F32], optics: Optics) -> F32:
    """The picture (H, W, 3) that `draw` gives, with each group of channels through its own lens."""
    first, *others = optics.by_colour()
    image = draw(first[0])
    for other, channels in others:
        picture = draw(other)
        for c in channels:
            image[..., c] = picture[..., c]
    return image


def _render_paper(scene: Scene, optics: Optics, operator) -> F32:  # type: ignore[no-untyped-def]
    """Eqs. (3)-(10) on display-encoded colour, as in the paper; converted through 16 bits both ways.

    These equations know no light above white: if a photo has it, its standard picture is rendered.
    """
    light = scene.rgb if scene.hdr is None else standard_light(scene.rgb, scene.hdr, scene.encoding)
    encoded = encode(light, scene.encoding, bit_depth=16).astype(np.float32)
    encoded /= np.float32(65535)
    image = _by_colour(lambda one: operator(encoded, scene.disparity, one), optics)
    if scene.has_subject:
        matte = cv2.merge([scene.matte] * 3)  # three times as fast as broadcasting over three channels
        encoded -= image
        encoded *= matte
        image += encoded  # Eq. (10)
    codes = cv2.addWeighted(image, 65535, image, 0, 0, dtype=cv2.CV_16U)  # rounded and clipped, in one pass
    return decode(codes, scene.encoding, bit_depth=16)
