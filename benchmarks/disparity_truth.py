"""Scenes with exact disparity, degraded as networks degrade it, and what a filter along the matte made of them.

`exact` is the disparity of what a pixel shows: the subject where the matte is above 0.5, else what lies behind. A
network's map differs in two ways. It bends and tilts all disparities a little, which no filter can know of: `ideal` is
`exact` bent like that, and what errors are counted against. And it loses the edges: they are too wide, blurred, and
wander; that is what the filter is for. Used by tests/disparity/test_disparity_filter.py and disparity_filter.py.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from wideopen.arrays.maps import nearest_value
from wideopen.checks import F32

RING = 0.03  # "beside the subject" reaches so far from the matte, as a fraction of the long side
CARRIES = 0.25  # of the way from what is there to the subject's disparity: more than that counts as carrying it
APART = 0.1  # where what is there lies this close to the subject, nothing can be told


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """A photo, its matte, and the disparity of what it shows."""

    photo: F32  # (H, W, 3) linear light
    alpha: F32  # (H, W)
    exact: F32  # (H, W)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How a depth network gets it wrong; lengths are fractions of the long side."""

    widen: float = 0.0  # near things drawn too wide
    wander: float = 0.0  # the edge is off by this much to and fro
    blur: float = 0.0  # sigma
    side_px: int = 0  # long side of what it computes on; 0 = the photo's
    bend: float = 0.0  # largest error of disparity, slow over the photo


NETWORKS = {
    "blurred": Network(blur=0.006),
    "widened": Network(widen=0.005, blur=0.003),
    "low resolution": Network(blur=0.001, side_px=192),
    "biased": Network(widen=0.003, blur=0.004, bend=0.05),
    "all of it": Network(widen=0.004, wander=0.003, blur=0.004, side_px=384, bend=0.05),
}


def degraded(truth: Truth, network: Network, seed: int = 0) -> tuple[F32, F32]:
    """(what the network says, `ideal`: what it would say had it every edge right)."""
    rng = np.random.default_rng(seed)
    ideal = np.clip(truth.exact + np.float32(network.bend) * _waves(truth.exact.shape, rng, 3), 0, 1)
    long_side = max(ideal.shape)
    d = ideal
    if network.widen:
        radius = max(1, round(network.widen * long_side))
        d = cv2.dilate(d, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2))
    if network.wander:
        y, x = np.mgrid[: d.shape[0], : d.shape[1]].astype(np.float32)
        dx, dy = (np.float32(network.wander * long_side) * _waves(d.shape, rng, 24) for _ in range(2))
        d = cv2.remap(d, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if network.blur:
        d = cv2.GaussianBlur(d, (0, 0), network.blur * long_side)
    if network.side_px and network.side_px < long_side:
        scale = network.side_px / long_side
        small = cv2.resize(d, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        d = cv2.resize(small, d.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.clip(d, 0, 1), ideal


def _waves(shape: tuple[int, ...], rng: np.random.Generator, cells: int) -> F32:
    """Smooth noise in about [-1, 1], `cells` knots along a side."""
    knots = rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
    return cv2.resize(knots, shape[::-1], interpolation=cv2.INTER_CUBIC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a filter did to one map. Shares are of the background pixels beside the subject."""

    carried_before: float  # share that carries the subject's disparity
    carried_after: float
    worse: float  # the largest growth of the error at any pixel outside the subject
    worse_share: float  # share of all pixels outside where the error grew by more than 0.01
    error_before: float  # mean error beside the subject
    error_after: float
    untouched: bool  # the subject, bit for bit


def judged(before: F32, after: F32, truth: Truth, ideal: F32, where: np.ndarray | None = None) -> Figures:
    """`where` limits the pixels that count as beside the subject."""
    outside = truth.alpha <= 0.5
    subject = nearest_value(ideal, ~outside)
    ring_px = RING * max(ideal.shape)
    away = cv2.distanceTransform(outside.astype(np.uint8), cv2.DIST_L2, 5)
    things = outside & (subject - ideal <= APART)  # at the subject's disparity; their own spill is not the subject's
    to_thing = cv2.distanceTransform((~things).astype(np.uint8), cv2.DIST_L2, 5)
    beside = outside & (away <= ring_px) & ~things & (away < to_thing)
    if where is not None:
        beside &= where
    limit = ideal + CARRIES * (subject - ideal)
    error_before, error_after = np.abs(before - ideal), np.abs(after - ideal)
    grew = (error_after - error_before)[outside]
    count = max(int(beside.sum()), 1)
    return Figures(
        carried_before=float((before > limit)[beside].sum()) / count,
        carried_after=float((after > limit)[beside].sum()) / count,
        worse=float(grew.max()),
        worse_share=float((grew > 0.01).mean()),
        error_before=float(error_before[beside].sum()) / count,
        error_after=float(error_after[beside].sum()) / count,
        untouched=bool((before == after)[~outside].all()),
    )


HEIGHT, WIDTH = 480, 400
HORIZON, LOWER_EDGE = 150.0, 0.95  # row; disparity of the floor at the photo's lower edge
WALL = 0.3


def room() -> F32:
    """A floor, linear in the row as a level floor is, that meets a wall."""
    y = np.arange(HEIGHT, dtype=np.float32)[:, None] + 0.5
    floor = LOWER_EDGE * np.clip((y - HORIZON) / (HEIGHT - HORIZON), 0, 1)
    return np.broadcast_to(np.maximum(floor, WALL), (HEIGHT, WIDTH)).astype(np.float32)


def person(x: float, feet: float, tall: float, *, hair: bool = True, seed: int = 4) -> F32:
    """A matte: head with a frayed edge, body, legs apart, an arm that encloses a gap; antialiased."""
    n = 4
    mask = np.zeros((n * HEIGHT, n * WIDTH), np.uint8)
    at = lambda u, v: (int(n * (x + u * tall)), int(n * (feet + v * tall)))  # noqa: E731
    px = lambda size: max(1, int(n * size * tall))  # noqa: E731
    cv2.ellipse(mask, at(0, -0.91), (px(0.07), px(0.09)), 0, 0, 360, 1, -1)
    cv2.ellipse(mask, at(0, -0.62), (px(0.13), px(0.22)), 0, 0, 360, 1, -1)
    for side in (-1, 1):
        cv2.line(mask, at(0.05 * side, -0.45), at(0.085 * side, -0.03), 1, px(0.075))
        cv2.line(mask, at(0.11 * side, -0.75), at(0.24 * side, -0.58), 1, px(0.045))
    cv2.line(mask, at(0.24, -0.58), at(0.10, -0.47), 1, px(0.045))
    cv2.line(mask, at(-0.24, -0.58), at(-0.2, -0.4), 1, px(0.045))
    alpha = cv2.resize(mask.astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    if hair:
        rng = np.random.default_rng(seed)
        strands = np.zeros_like(mask)
        for turn in rng.uniform(0, 2 * np.pi, 160):
            way = np.array([np.cos(turn), np.sin(turn)])
            root, tip = way * (0.06, 0.08), way * (0.06, 0.08) * rng.uniform(1.1, 1.5)
            cv2.line(strands, at(root[0], root[1] - 0.91), at(tip[0], tip[1] - 0.91), 1, 2)
        fine = cv2.resize(strands.astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        alpha = np.maximum(alpha, fine)
    return alpha


def floor_at(row: float) -> float:
    """Disparity of the floor, and of whoever has the feet there."""
    return LOWER_EDGE * (row - HORIZON) / (HEIGHT - HORIZON)


def scenes() -> dict[str, Truth]:
    """A person on a floor before a wall: alone; with what stands at the same disparity; a bust; a cap that
    the matte misses; a bust behind something nearer.
    """
    feet = 430.0
    subject, alone = floor_at(feet), person(180, feet, 360)
    stick = cv2.line(np.zeros((HEIGHT, WIDTH), np.uint8), (105, 150), (120, 430), 1, 7) > 0
    cap = cv2.ellipse(np.zeros((HEIGHT, WIDTH), np.uint8), (180, 84), (34, 24), 0, 180, 360, 1, -1) > 0
    box, table = np.zeros((2, HEIGHT, WIDTH), bool)
    box[255:315, 70:118] = True
    table[300:345, 190:] = True
    bar = cv2.line(np.zeros((HEIGHT, WIDTH), np.uint8), (60, 0), (260, 330), 1, 22) > 0
    other = person(310, feet + 4, 350, hair=False) > 0.5
    return {
        "alone": _scene(alone, subject),
        "holds a box": _scene(alone, subject, box),
        "holds a stick": _scene(alone, subject, stick),
        "at a table": _scene(alone, subject, table),
        "beside another": _scene(alone, subject, other),
        "bust": _scene(person(190, 900, 800), 0.85),
        "cap missed": _scene(np.where(cap, np.float32(0), alone), subject, cap),
        "behind a bar": _scene(np.where(bar, np.float32(0), person(190, 900, 800)), 0.7, bar, 0.95),
    }


def _scene(alpha: F32, disparity: float, thing: np.ndarray | None = None, nearer: float | None = None) -> Truth:
    """A subject, and a thing at the same disparity unless told, in a room of three colours and their grain."""
    rng = np.random.default_rng(9)
    d, floor = room(), (room() > WALL)[..., None]
    colour = np.where(floor, np.float32([0.3, 0.2, 0.12]), np.float32([0.45, 0.5, 0.42]))
    if thing is not None:
        d = np.where(thing, np.float32(nearer or disparity), d)
        colour = np.where(thing[..., None], np.float32([0.35, 0.06, 0.05]), colour)
    a = alpha[..., None]
    colour = a * np.float32([0.05, 0.08, 0.2]) + (1 - a) * colour
    grain = cv2.GaussianBlur(rng.normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 1.5)
    photo = colour * np.clip(1 + 0.6 * grain, 0.3, 2)[..., None]
    exact = np.where(alpha > 0.5, np.float32(disparity), d)
    return Truth(photo=np.clip(photo, 0, 1).astype(np.float32), alpha=alpha, exact=exact.astype(np.float32))
