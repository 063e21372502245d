"""The table of scenes: what is in them, how they are lit, and through which lenses they are seen.

Constants of the renderer may be tuned on the scenes marked `tune`; only `judge` says how good it is.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from lens import hair, textures
from lens import surroundings as s
from lens.bust import bust
from lens.camera import Camera, Light
from lens.others import bear, fern, hat
from lens.shapes import Part, box, quad

Build = Callable[[], list[Part]]
Focus = str  # "subject" or "background"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One picture of a scene through a lens."""

    focus: Focus
    radius_px: float  # of what lies at the other distance: the background's blur, or the subject's


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One row of the table."""

    name: str
    purpose: str  # "tune" or "judge"
    title: str
    build: Build
    light: Light
    camera: Camera
    subject_m: float  # what `focus` means, along the axis
    background_m: float
    shots: tuple[Shot, ...]

    def aperture_m(self, shot: Shot) -> float:
        """The aperture's radius in metres."""
        return self.camera.aperture_m(self.subject_m, self.background_m, shot.radius_px)

    def focus_m(self, shot: Shot) -> float:
        """The distance in focus."""
        return self.subject_m if shot.focus == "subject" else self.background_m


PORTRAIT = Camera(width=512, height=640, focal_px=1250, near=0.9, far=60)
LANDSCAPE = Camera(width=640, height=512, focal_px=1150, near=1.0, far=60)
DAY = Light(sun=(-0.5, 0.75, 0.6), sun_rgb=(0.95, 0.9, 0.8), sky_rgb=(0.34, 0.37, 0.42))
SIDE = Light(sun=(0.85, 0.5, 0.35), sun_rgb=(1.0, 0.88, 0.7), sky_rgb=(0.3, 0.34, 0.4))
LOW = Light(sun=(-0.7, 0.35, -0.5), sun_rgb=(1.4, 1.05, 0.7), sky_rgb=(0.45, 0.46, 0.5))
INDOORS = Light(sun=(-0.8, 0.5, 0.7), sun_rgb=(0.6, 0.56, 0.5), sky_rgb=(0.24, 0.22, 0.2))
NIGHT = Light(sun=(0.5, 0.35, 0.8), sun_rgb=(0.42, 0.32, 0.22), sky_rgb=(0.03, 0.035, 0.055))
HEAD = (0.0, 0.07, -1.25)
FOLIAGE = (0.12, 0.24, 0.05)
TWO = (Shot(focus="subject", radius_px=14), Shot(focus="background", radius_px=8))
WIDE = (Shot(focus="subject", radius_px=8), Shot(focus="background", radius_px=14))


def park(seed: int) -> list[Part]:
    """Grass, a path, a hedge, trees at four distances, a sky below white."""
    rng = np.random.default_rng(seed)
    ground = textures.speckled((0.05, 0.09, 0.02), (0.2, 0.26, 0.09), rng, cells=10)
    clouds = textures.sky(rng, (0.2, 0.36, 0.62), (0.6, 0.7, 0.8), (0.88, 0.88, 0.9))
    parts: list[Part] = [s.backdrop(clouds, distance=50), *s.floor(ground), *s.grass(rng)]
    for x, z, height in (
        (-1.9, 5, 3.0),
        (2.0, 8, 4),
        (-2.4, 12, 4.5),
        (0.9, 18, 6),
        (3.6, 14, 5),
        (-5, 22, 7),
        (5.5, 26, 8),
    ):
        tint = np.array(FOLIAGE) * rng.uniform(0.7, 1.5) * rng.uniform(0.85, 1.2, 3)
        parts += s.tree((x, -s.EYE, -z), rng, height=height, leaf=0.1 + 0.006 * z, tint=tint)
    return parts + s.hedge((-7, -s.EYE, -10), (0.3, -0.4, -9.2), rng, count=6000, leaf=0.11, tint=FOLIAGE)


def street(seed: int) -> list[Part]:
    """Houses on both sides, posts, a brick wall close by, a pale sky."""
    rng = np.random.default_rng(seed)
    paving = textures.bricks(rng, rows=24, columns=12)
    pale = textures.sky(rng, (0.45, 0.55, 0.7), (0.8, 0.82, 0.85), (0.95, 0.95, 0.95))
    parts: list[Part] = [s.backdrop(pale, distance=50), *s.floor(0.2 + 0.5 * paving, tile=2)]
    parts += s.house(-2.6, 1.9, 4.5, rng, height=6, kind="bricks", depth=5)
    parts += s.house(-5.5, 4.5, 11, rng, height=8) + s.house(1.2, 3.2, 9, rng, height=7)
    parts += s.house(2.2, 6, 18, rng, height=9, kind="bricks") + s.house(-6, 9, 28, rng, height=11)
    for x, z in ((0.55, 3.2), (0.9, 6), (-0.75, 8), (0.2, 12)):
        parts += s.post((x, -s.EYE, -z), height=3.2, radius=0.03)
    return parts + s.tree((-0.5, -s.EYE, -14), rng, height=4.5, leaf=0.2, tint=FOLIAGE, count=2500)


def night(seed: int) -> list[Part]:
    """A street after dark: lamps far brighter than white, from 2.5 to 30 m."""
    rng = np.random.default_rng(seed)
    asphalt = textures.speckled((0.03, 0.03, 0.035), (0.1, 0.1, 0.11), rng, cells=16)
    dark = textures.sky(rng, (0.004, 0.006, 0.015), (0.02, 0.018, 0.02), (0.012, 0.012, 0.018))
    parts: list[Part] = [s.backdrop(dark, distance=50), *s.floor(asphalt)]
    parts += s.lit_windows(-9, 7.5, 20, rng, height=9, glow=1.6) + s.lit_windows(1.5, 8, 26, rng, height=12, glow=2.2)
    parts += s.lit_windows(-3.2, 1.9, 8, rng, height=5.5, glow=1.2)
    for count, z, glow in ((14, 3.5, 12), (26, 7, 20), (40, 14, 40), (60, 28, 90)):
        where = rng.uniform(-0.5, 0.5, (count, 3)) * (0.9 * z * 0.41, 0.5 * z * 0.5, 0.3 * z) + (0, 0.06 * z, -z)
        parts += s.lamps(rng, where, radius=0.0009 * z * rng.uniform(0.8, 2.2, count), glow=glow)
    for x, z in ((0.62, 4), (-1.0, 9), (1.9, 13)):
        parts += s.post((x, -s.EYE, -z), height=2.6, radius=0.035)
        parts += s.lamps(rng, np.array([[x, 1.18, -z]]), radius=0.07, glow=25, warm=1)
    return parts


def open_sky(seed: int) -> list[Part]:
    """Bare branches and leaves against a sky up to four times brighter than display white."""
    rng = np.random.default_rng(seed)
    ground = textures.speckled((0.1, 0.09, 0.05), (0.35, 0.31, 0.18), rng, cells=12)
    bright = textures.sky(rng, (1.1, 1.5, 2.1), (2.2, 2.3, 2.4), (3.6, 3.6, 3.6), cover=0.7)
    parts: list[Part] = [s.backdrop(bright, distance=50), *s.floor(ground)]
    for x, z, height, count in ((-0.9, 4, 3.0, 700), (1.3, 6, 4.2, 1500), (-2.0, 10, 6, 2500), (2.5, 16, 7, 3000)):
        parts += s.tree((x, -s.EYE, -z), rng, height=height, leaf=0.1, count=count, tint=(0.14, 0.2, 0.05))
    for x, z in ((0.35, 9), (0.75, 13), (-0.4, 20)):
        parts += s.post((x, -s.EYE, -z), height=8, radius=0.05)
    return parts + s.house(-8, 6, 30, rng, height=5)


def room(seed: int) -> list[Part]:
    """A library: shelves at two distances, a window too bright for the photo, a lamp."""
    rng = np.random.default_rng(seed)
    wood = textures.speckled((0.12, 0.06, 0.03), (0.35, 0.2, 0.1), rng, cells=6)
    window = 3.0 * textures.stripes(
        [(1, 1, 1), (0.02, 0.02, 0.02), (0.85, 0.92, 1), (0.02, 0.02, 0.02)] * 3, [60, 4, 60, 4] * 3
    )
    parts: list[Part] = [quad((-6, -s.EYE, -7), (12, 0, 0), (0, 5, 0), tint=(0.45, 0.4, 0.33)), *s.floor(wood, far=8)]
    parts += [quad((-6, 2.2, -7), (12, 0, 0), (0, 0, 7), tint=(0.6, 0.58, 0.55))]
    parts += [quad((-2.1, -s.EYE, -3.2), (1.7, 0, 0), (0, 2.5, 0), texture=textures.books(rng))]
    parts += box((-2.15, -s.EYE, -3.6), (-0.38, 1.03, -3.21), tint=(0.12, 0.06, 0.03))
    parts += [quad((0.25, -s.EYE, -4.6), (0.8, 0, -1.6), (0, 2.9, 0), texture=textures.books(rng, shelves=6))]
    parts += [quad((-0.3, -0.3, -6.9), (1.1, 0, 0), (0, 1.6, 0), texture=window, glow=1.0)]
    parts += s.post((0.5, -s.EYE, -2.4), height=1.55, radius=0.012)
    return parts + s.lamps(rng, np.array([[0.5, 0.1, -2.4]]), radius=0.055, glow=6, warm=1)


def boards(seed: int) -> list[Part]:
    """A checkerboard behind a hard silhouette, a striped board farther off, a wall."""
    rng = np.random.default_rng(seed)
    check = textures.checkerboard(14, 12, (0.03, 0.03, 0.03), (0.85, 0.85, 0.82))
    ramp = textures.stripes(rng.uniform(0.03, 0.85, (40, 3)), rng.integers(6, 30, 40))
    wall = textures.speckled((0.3, 0.32, 0.3), (0.62, 0.6, 0.55), rng, cells=6)
    parts: list[Part] = [quad((-8, -s.EYE, -14), (16, 0, 0), (0, 9, 0), texture=wall), *s.floor(wall, far=15)]
    parts += [quad((-0.9, -0.85, -3.0), (1.05, 0, -0.3), (0, 1.6, 0), texture=check)]
    parts += [quad((0.0, -1.5, -5.0), (1.8, 0, 0), (0, 2.4, 0), texture=ramp)]
    return parts


def table() -> list[Part]:
    """A wooden table top under the subject."""
    wood = textures.speckled((0.1, 0.05, 0.025), (0.3, 0.17, 0.08), np.random.default_rng(12), size=512)
    return [quad((-0.9, -0.33, -1.05), (1.8, 0, 0), (0, 0, -0.6), texture=wood)]


def scene_with(surroundings: Callable[[int], list[Part]], seed: int, *more: Build) -> Build:
    """All parts of a scene, built when called."""
    return lambda: [*surroundings(seed), *(part for build in more for part in build())]


def twigs(*places: tuple[float, float, float, float, float], leaf: float = 0.035) -> Build:
    """Branches in front: x, y, distance, direction in degrees, length."""

    def build() -> list[Part]:
        rng, parts = np.random.default_rng(11), []
        for x, y, z, degrees, length in places:
            way = (np.cos(np.radians(degrees)), np.sin(np.radians(degrees)), 0.05)
            parts += s.branch((x, y, -z), way, rng, length=length, leaf=leaf, count=60, tint=FOLIAGE)
        return parts

    return build


NEAR_PORTRAIT = replace(PORTRAIT, near=0.55)
NEAR_LANDSCAPE = replace(LANDSCAPE, near=0.6)
STRIPED = textures.stripes([(0.55, 0.1, 0.1), (0.75, 0.72, 0.65)] * 60, [6, 6] * 60)
BLOND, BLACK, AUBURN, CHESTNUT = (0.5, 0.36, 0.17), (0.03, 0.02, 0.015), (0.3, 0.11, 0.04), (0.2, 0.1, 0.05)


def head(style: hair.Style, seed: int, turn_deg: float, **rest) -> Build:
    """A bust in the middle of the picture."""
    return lambda: bust(style, seed=seed, at=HEAD, turn_deg=turn_deg, **rest)


SCENES = {
    scene.name: scene
    for scene in (
        Scene(
            name="straight",
            purpose="tune",
            title="long straight hair in a park",
            shots=TWO,
            build=scene_with(park, 1, head(hair.STRAIGHT, 21, 18)),
            light=DAY,
            camera=PORTRAIT,
            subject_m=1.18,
            background_m=8,
        ),
        Scene(
            name="curly-sky",
            purpose="tune",
            title="dark curls before a sky that clips",
            shots=TWO,
            build=scene_with(open_sky, 2, head(hair.CURLY, 22, -20, hair_colour=BLACK)),
            light=LOW,
            camera=PORTRAIT,
            subject_m=1.18,
            background_m=10,
        ),
        Scene(
            name="wires",
            purpose="tune",
            title="a plush bear behind a wire fence",
            shots=WIDE,
            build=scene_with(park, 3, lambda: bear((-0.03, 0.12, -1.4), seed=23, turn_deg=15), lambda: s.fence(1.08)),
            light=SIDE,
            camera=LANDSCAPE,
            subject_m=1.32,
            background_m=7,
        ),
        Scene(
            name="night",
            purpose="tune",
            title="straight hair before lamps at night",
            shots=TWO,
            build=scene_with(night, 4, head(hair.STRAIGHT, 24, -12, hair_colour=CHESTNUT)),
            light=NIGHT,
            camera=PORTRAIT,
            subject_m=1.18,
            background_m=14,
        ),
        Scene(
            name="hat",
            purpose="tune",
            title="a hat before a checkerboard",
            shots=TWO,
            build=scene_with(
                boards, 5, head(hair.SHORT, 25, 25, hair_colour=BLACK, cloth=STRIPED), lambda: hat(HEAD, turn_deg=25)
            ),
            light=DAY,
            camera=PORTRAIT,
            subject_m=1.18,
            background_m=3.1,
        ),
        Scene(
            name="short",
            purpose="judge",
            title="short hair in a street",
            shots=TWO,
            build=scene_with(street, 6, head(hair.SHORT, 26, -25, strands=16000, hair_colour=CHESTNUT)),
            light=SIDE,
            camera=PORTRAIT,
            subject_m=1.18,
            background_m=6,
        ),
        Scene(
            name="curly-room",
            purpose="judge",
            title="auburn curls in a library",
            shots=WIDE,
            build=scene_with(room, 7, head(hair.CURLY, 27, 15, hair_colour=AUBURN, cloth=STRIPED)),
            light=INDOORS,
            camera=PORTRAIT,
            subject_m=1.18,
            background_m=4,
        ),
        Scene(
            name="twigs",
            purpose="judge",
            title="blond hair behind a branch",
            shots=TWO,
            build=scene_with(
                park,
                8,
                head(hair.STRAIGHT, 28, -15, hair_colour=BLOND),
                twigs((-0.32, 0.1, 0.75, -12, 0.34), (0.3, -0.24, 0.7, 150, 0.3), (-0.28, 0.33, 0.8, -20, 0.3)),
            ),
            light=LOW,
            camera=NEAR_PORTRAIT,
            subject_m=1.18,
            background_m=9,
        ),
        Scene(
            name="fern-night",
            purpose="judge",
            title="a fern before lamps at night",
            shots=WIDE,
            build=scene_with(night, 9, lambda: fern((0, -0.12, -1.3), seed=29), table),
            light=NIGHT,
            camera=LANDSCAPE,
            subject_m=1.3,
            background_m=12,
        ),
        Scene(
            name="bear-sky",
            purpose="judge",
            title="a pale bear before a sky that clips",
            shots=TWO,
            build=scene_with(
                open_sky,
                10,
                lambda: bear((0.05, 0.1, -1.4), seed=30, turn_deg=-20, colour=(0.42, 0.36, 0.28)),
                twigs((0.27, 0.14, 0.8, 165, 0.26), (0.25, -0.1, 0.72, 150, 0.2), leaf=0.03),
            ),
            light=DAY,
            camera=NEAR_LANDSCAPE,
            subject_m=1.32,
            background_m=12,
        ),
    )
}
