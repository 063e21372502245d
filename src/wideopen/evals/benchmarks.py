"""The field's public sets and our own truths by name: one row each, and how its folder is read.

A set is complete or refused: the first ten files that are missing, too many, or of another size are listed with a count
before any work starts. `Benchmark.focus` says how the protocol of the set's papers finds focus and blur. Where no
layout is published, the set is read in ours (`pairs`).
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from wideopen.checks import require
from wideopen.errors import InvalidInput
from wideopen.evals.exact import inverse_depth
from wideopen.evals.mattes import IMAGE_SUFFIXES
from wideopen.evals.mattes import Pair as MattePair
from wideopen.evals.pairs import Meta, Pair, find_pairs, pair_of
from wideopen.evals.together import Found, Layout, Problem, listed, require_equal_sizes, together

OPTION = "--root"
JPEG = (".jpg", ".jpeg")
NOT_PUBLISHED = "sharp/, bokeh/ and meta.json, as for --pairs: {} publishes no layout that we found"
Finder = Callable[[Path], Found[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One set: what it holds, where it is had, and how it is judged."""

    name: str
    title: str
    task: Literal["bokeh", "matting"]
    count: int | None  # pairs; None = as many as the set's own metadata names
    layout: str  # below --root, for people
    find: Finder
    focus: str = "-"  # how focus and blur are found
    search: bool = False  # the blur of each picture is searched
    licence: str
    where: str

    def complete(self, root: Path, *, partial: bool = False) -> Found[Any]:
        """The pairs below `root`, and with `partial` the problems of the others.

        Raises InvalidInput for a set that lacks files, has others, or is of another layout.
        """
        found = self.find(root)
        pairs, told = found.pairs, list(found.problems)
        if self.count is not None and len(pairs) != self.count:
            told.append(Problem("count", f"expected {self.count} pairs, found {len(pairs)} usable ones"))
        fine = not told or (partial and len(pairs) > 0)
        wrong = f"{OPTION}: expected {self.title} ({self.layout}) in {root}, found {len(told)} problems: {listed(told)}"
        require(fine, wrong if partial else f"{wrong}; --partial judges the {len(pairs)} usable pairs")
        return Found(pairs, tuple(told))


def _in_folders(root: Path, layout: Layout, names: Sequence[str] | None = None) -> Found[Pair]:
    files, problems = together(root, layout, option=OPTION, names=names, strict=names is None)
    return Found(tuple(pair_of(name, of_pair) for name, of_pair in files.items()), tuple(problems))


def _in_ours(root: Path) -> Found[Pair]:
    return find_pairs(root, option=OPTION, strict=True)


def _mattes(root: Path, *, group: str, layout: Layout) -> Found[MattePair]:
    files, problems = together(root, layout, option=OPTION, strict=True)
    pairs = (MattePair(group, name, one["rgb"], one["alpha"], "val") for name, one in files.items())
    return Found(tuple(pairs), tuple(problems))


def _ebb(original: Sequence[str], bokeh: Sequence[str]) -> Layout:
    kinds = {"sharp": original, "bokeh": bokeh}
    return Layout(folders=kinds, suffixes=dict.fromkeys(kinds, JPEG), equal=("sharp", "bokeh"))


def _matte_layout(rgb: Sequence[str], alpha: Sequence[str], suffixes: Sequence[str] = (".png",)) -> Layout:
    suffixes_of = {"rgb": IMAGE_SUFFIXES, "alpha": suffixes}
    return Layout(folders={"rgb": rgb, "alpha": alpha}, suffixes=suffixes_of, equal=("rgb", "alpha"))


def _val294(root: Path) -> Found[Pair]:
    """The last 294 training pairs, as Dutta et al. (CVPRW 2021) list them; or in/, gt/, as Bokehlicious keeps them."""
    if (root / "test").is_dir():
        return _in_folders(root, _ebb(["test/in"], ["test/gt"]))
    names = [str(number) for number in range(4400, 4694)]
    return _in_folders(root, _ebb(["Training/original", "original"], ["Training/bokeh", "bokeh"]), names)


def realbokeh(root: Path) -> Found[Pair]:
    """All apertures of all scenes; the level of a picture is 1 / f-number, its group the scene. Raises InvalidInput."""
    folder = root / "test" if (root / "test").is_dir() else root
    files = sorted((folder / "metadata").glob("*.json"))
    require(len(files) > 0, f"{OPTION}: expected files {folder / 'metadata'}/*.json, found none")
    pairs, problems, named = [], [], set()
    for file in files:
        try:
            scene = _json(file)
            sharp = folder / _of(scene, "source_image", str, file)
            targets, numbers = (_of(scene, key, list, file) for key in ("target_images", "target_avs"))
            require(len(targets) == len(numbers), f"{file}: expected as many target_avs as target_images")
        except InvalidInput as error:
            problems.append(Problem(file.name, str(error)))
            continue
        named.add(sharp)
        for target, number in zip(targets, numbers, strict=True):
            bokeh = folder / str(target)
            named.add(bokeh)
            try:
                _require_files(sharp, bokeh)
            except InvalidInput as error:
                problems.append(Problem(bokeh.stem, str(error)))
                continue
            meta = Meta(group=file.stem)
            pairs.append(Pair(name=bokeh.stem, sharp=sharp, bokeh=bokeh, meta=meta, level=1 / float(number)))
    return Found(tuple(pairs), (*problems, *_extra(folder, ("in", "gt"), named)))


def blb(root: Path) -> Found[Pair]:
    """BokehMe's scenes: radius K |1 / depth - focus| in pixels, display gamma 2.2; 5 blurs of 10 focuses each.

    info.json names the five blurs `blur_parameters`; its only list of ten numbers is taken for the focuses.
    """
    folder = root / "data" if (root / "data").is_dir() else root
    scenes = sorted(path.parent for path in folder.glob("*/info.json"))
    require(len(scenes) > 0, f"{OPTION}: expected folders {folder}/SCENE with info.json, found none")
    pairs, problems = [], []
    for scene in scenes:
        try:
            blurs, focuses = _lists(scene / "info.json")
            _require_files(scene / "image.exr", scene / "depth.exr")
            _, (low, high) = inverse_depth(scene / "depth.exr")
        except InvalidInput as error:
            problems.append(Problem(scene.name, str(error)))
            continue
        for k, blur in enumerate(blurs):
            for f, focus in enumerate(focuses):
                name, bokeh = f"{scene.name}_{k:02}_{f:02}", scene / f"bokeh_{k:02}_{f:02}.exr"
                try:
                    _require_files(scene / "image.exr", bokeh)
                    at = (focus - low) / max(high - low, 1e-9)
                    meta = Meta(
                        focus=f"d={min(max(at, 0.0), 1.0):.6f}",
                        blur=f"{blur * (high - low):.4f}px",
                        focus_range=0.0,
                        filter_disparity=False,
                        group=f"{scene.name}_{f:02}",
                    )
                except InvalidInput as error:
                    problems.append(Problem(name, str(error)))
                    continue
                maps = {"sharp": scene / "image.exr", "disparity": scene / "depth.exr"}
                pairs.append(Pair(name=name, bokeh=bokeh, meta=meta, level=blur, gamma=2.2, **maps))
    return Found(tuple(pairs), tuple(problems))


def _lists(file: Path) -> tuple[list[float], list[float]]:
    """The blurs and the focuses in a scene's info.json. Raises InvalidInput."""
    info = _json(file)
    blurs = _of(info, "blur_parameters", list, file)
    tens = [v for v in info.values() if isinstance(v, list) and len(v) == 10 and all(map(_is_number, v))]
    require(len(blurs) == 5 and all(map(_is_number, blurs)), f"{file}: expected five blur_parameters, found {blurs}")
    require(len(tens) == 1, f"{file}: expected one list of ten numbers, the focuses, found {len(tens)}")
    return blurs, tens[0]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _json(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{file}: expected JSON, found something unreadable ({error})") from error
    require(isinstance(data, dict), f"{file}: expected a JSON object, found {type(data).__name__}")
    return dict(data)


def _of(data: dict[str, Any], key: str, kind: type, file: Path) -> Any:
    require(isinstance(data.get(key), kind), f"{file}: expected {key} ({kind.__name__}), found {data.get(key)!r}")
    return data[key]


def _require_files(first: Path, second: Path) -> None:
    for path in (first, second):
        require(path.is_file(), f"expected {path}, found none")
    require_equal_sizes(first, second)


def _extra(root: Path, folders: Sequence[str], named: set[Path]) -> Iterator[Problem]:
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and not path.name.startswith(".") and path not in named:
                yield Problem(path.name, f"{path}: expected a file that the metadata names, found another one")


SEARCHED = "the subject in focus; the blur with the best SSIM is searched for each picture"
GIVEN = "given"
EBB: dict[str, Any] = {"focus": SEARCHED, "search": True, "licence": "not found"}
LIGHT_FIELD: dict[str, Any] = {
    "task": "bokeh",
    "layout": NOT_PUBLISHED.format("the paper"),
    "find": _in_ours,
    "focus": SEARCHED,
    "search": True,
    "licence": "not found",
    "where": "https://github.com/rayray9999/Genfocus lists the release as open",
}
LENS: dict[str, Any] = {
    "task": "bokeh",
    "count": 20,
    "layout": "sharp/, bokeh/, matte/, disparity/, meta.json",
    "find": _in_ours,
    "focus": GIVEN,
    "licence": "Apache-2.0, as this project",
}
COMPOSITES = LENS | {"count": None, "licence": "that of your photos"}
WAX = LIGHT_FIELD | {"layout": NOT_PUBLISHED.format("the paper"), "licence": "not found", "where": "ask its authors"}


def _p3m(title: str, photos: str) -> Benchmark:
    """A validation set of P3M-10k, whose photos lie in the folder `photos`."""
    folder = f"validation/{title}"
    layout = _matte_layout([f"{folder}/{photos}", photos], [f"{folder}/mask", "mask"])
    return Benchmark(
        name=title.lower(),
        title=title,
        task="matting",
        count=500,
        layout=f"{folder}/{photos}/, mask/",
        find=partial(_mattes, group=title, layout=layout),
        licence="MIT (dataset agreement)",
        where="https://github.com/JizhiziLi/P3M",
    )


BENCHMARKS: dict[str, Benchmark] = {
    one.name: one
    for one in (
        Benchmark(
            name="ebb-val294",
            title="EBB! Val294",
            task="bokeh",
            count=294,
            layout="Training/original/4400.jpg to 4693.jpg, Training/bokeh/; or test/in/, test/gt/",
            find=_val294,
            where="https://competitions.codalab.org/competitions/24716 (MODEST's authors find it gone)",
            **EBB,
        ),
        Benchmark(
            name="ebb400",
            title="EBB400",
            task="bokeh",
            count=400,
            layout="test/in/, test/gt/, as Bokehlicious reads it",
            find=partial(_in_folders, layout=_ebb(["test/in", "in"], ["test/gt", "gt"])),
            where="400 pairs of EBB! that BokehMe chose; https://github.com/JuewenPeng/BokehMe",
            **EBB,
        ),
        Benchmark(
            name="realbokeh",
            title="RealBokeh, test",
            task="bokeh",
            count=None,
            layout="test/metadata/ID.json, test/in/, test/gt/ID/ID_fN.JPG",
            find=realbokeh,
            focus=SEARCHED,
            search=True,
            licence="CC BY-NC-SA 4.0",
            where="https://huggingface.co/datasets/timseizinger/RealBokeh_3MP",
        ),
        Benchmark(
            name="blb",
            title="BLB",
            task="bokeh",
            count=500,
            layout="SCENE/info.json, image.exr, depth.exr, bokeh_KK_FF.exr",
            find=blb,
            focus="given: ten focuses, five blurs, depth",
            licence="non-commercial, as its repository",
            where="https://github.com/JuewenPeng/BokehMe#blb-dataset",
        ),
        Benchmark(name="lf-bokeh", title="LF-Bokeh", count=200, **LIGHT_FIELD),
        Benchmark(name="lf-refocus", title="LF-Refocus", count=400, **LIGHT_FIELD),
        Benchmark(
            name="modest",
            title="MODEST, f/22 to f/2.8",
            count=None,
            **LIGHT_FIELD
            | {"licence": "non-commercial, academic", "where": "announced in arXiv (Trivedi et al., 2025)"},
        ),
        Benchmark(name="wax", title="WAX", count=20, **WAX),
        Benchmark(name="real", title="REAL", count=None, **WAX),
        Benchmark(
            name="lens-clamped",
            title="ray-traced, rays clamped at white",
            where="python benchmarks/lens/export.py DIR --truth clamped",
            **LENS,
        ),
        Benchmark(
            name="lens-true",
            title="ray-traced, true radiance",
            where="python benchmarks/lens/export.py DIR --truth true",
            **LENS,
        ),
        Benchmark(
            name="lens-hdr",
            title="ray-traced, photo and truth in HDR",
            where="python benchmarks/lens/export.py DIR --truth hdr",
            **LENS,
        ),
        Benchmark(
            name="composites",
            title="composites",
            where="python benchmarks/composites.py --photos DIR --backgrounds DIR --export DIR",
            **COMPOSITES,
        ),
        _p3m("P3M-500-P", "blurred_image"),
        _p3m("P3M-500-NP", "original_image"),
        Benchmark(
            name="aim-500",
            title="AIM-500",
            task="matting",
            count=500,
            layout="original/, mask/",
            find=partial(_mattes, group="AIM-500", layout=_matte_layout(["original"], ["mask"])),
            licence="MIT (dataset agreement)",
            where="https://github.com/JizhiziLi/AIM",
        ),
        Benchmark(
            name="ppm-100",
            title="PPM-100",
            task="matting",
            count=100,
            layout="image/, matte/",
            find=partial(_mattes, group="PPM-100", layout=_matte_layout(["image"], ["matte"], IMAGE_SUFFIXES)),
            licence="photos Flickr Creative Commons, mattes CC BY-NC-SA 4.0",
            where="https://github.com/ZHKKKe/PPM",
        ),
        Benchmark(
            name="rwp-636",
            title="RealWorldPortrait-636",
            task="matting",
            count=636,
            layout="image/, alpha/",
            find=partial(_mattes, group="RWP-636", layout=_matte_layout(["image"], ["alpha"])),
            licence="not found",
            where="https://github.com/yucornetto/MGMatting",
        ),
    )
}


def benchmark(name: str, task: str) -> Benchmark:
    """The benchmark of a name. Raises InvalidInput for an unknown one, and for one of another task."""
    known = [one.name for one in BENCHMARKS.values() if one.task == task]
    require(name in known, f"--benchmark: expected one of {', '.join(known)}, found {name!r}")
    return BENCHMARKS[name]
