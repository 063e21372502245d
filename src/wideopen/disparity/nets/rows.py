"""The depth models we know, as rows, and the four architectures we can run.

Plain data, so that a command line can list the models without loading torch. Revisions, sizes and licences are those
that the models' pages on the hub named; weights themselves are fetched by the user, never shipped.
"""

from dataclasses import dataclass

from wideopen.disparity.depth_map import Kind

DEFAULT = "depth-anything-v2-small"


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthModel:
    """One set of weights on the hub."""

    name: str  # what --depth takes
    repo: str
    revision: str  # a commit, so that the same name always means the same numbers
    download_mb: int  # of the weights, 10^6 bytes
    licence: str
    free: bool  # any use, commercial included
    architecture: str  # transformers' model_type
    size: tuple[int, int]  # (height, width) that it was made for
    kind: Kind  # what its output means; a depth model's disparity is its inverse
    remark: str = ""


ROWS: dict[str, DepthModel] = {
    row.name: row
    for row in (
        DepthModel(
            name="depth-anything-v2-small",
            repo="depth-anything/Depth-Anything-V2-Small-hf",
            revision="5426e4f0f36572d16453bbda7a8389317b1bef99",
            download_mb=99,
            licence="Apache-2.0",
            free=True,
            architecture="depth_anything",
            size=(518, 518),
            kind="relative_disparity",
            remark="the default: small, quick, free",
        ),
        DepthModel(
            name="depth-anything-v2-base",
            repo="depth-anything/Depth-Anything-V2-Base-hf",
            revision="b1958afc87fb45a9e3746cb387596094de553ed8",
            download_mb=390,
            licence="CC-BY-NC-4.0",
            free=False,
            architecture="depth_anything",
            size=(518, 518),
            kind="relative_disparity",
            remark="not for commercial use",
        ),
        DepthModel(
            name="depth-anything-v2-large",
            repo="depth-anything/Depth-Anything-V2-Large-hf",
            revision="7581137eff8d4e94f6e796d3baea0e9fa79b22d2",
            download_mb=1341,
            licence="CC-BY-NC-4.0",
            free=False,
            architecture="depth_anything",
            size=(518, 518),
            kind="relative_disparity",
            remark="not for commercial use",
        ),
        DepthModel(
            name="dpt",
            repo="Intel/dpt-large",
            revision="bc15f29aa3a80d532f2ed650b5e16ac48d8958f9",
            download_mb=1370,
            licence="Apache-2.0",
            free=True,
            architecture="dpt",
            size=(384, 384),
            kind="relative_disparity",
            remark="the paper's; squeezes every photo into a square",
        ),
        DepthModel(
            name="depth-pro",
            repo="apple/DepthPro-hf",
            revision="de816c8ce7168afcb231f96d501d72b869d0beda",
            download_mb=1900,
            licence="apple-amlr",
            free=False,
            architecture="depth_pro",
            size=(1536, 1536),
            kind="disparity",
            remark="research only; sharp, slow",
        ),
        DepthModel(
            name="zoedepth",
            repo="Intel/zoedepth-nyu-kitti",
            revision="f364d4c7936e91f465abba182208dd68142bf0ca",
            download_mb=1380,
            licence="MIT",
            free=True,
            architecture="zoedepth",
            size=(384, 512),
            kind="depth_m",
            remark="metres",
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """How an architecture wants its photo. A folder's preprocessor_config.json may say otherwise."""

    size: tuple[int, int]  # (height, width)
    keep_aspect: bool  # the short side gets its size, the other follows
    multiple: int  # of both sides, in pixels
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    padded: bool = False  # mirrored at its borders, cut off again


HALF = (0.5, 0.5, 0.5)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
INPUTS: dict[str, Input] = {
    "depth_anything": Input(size=(518, 518), keep_aspect=True, multiple=14, mean=IMAGENET_MEAN, std=IMAGENET_STD),
    "depth_pro": Input(size=(1536, 1536), keep_aspect=False, multiple=1, mean=HALF, std=HALF),
    "dpt": Input(size=(384, 384), keep_aspect=False, multiple=1, mean=HALF, std=HALF),
    "zoedepth": Input(size=(384, 512), keep_aspect=True, multiple=32, mean=HALF, std=HALF, padded=True),
}
