"""Public benchmarks and our own truths by name (rows of benchmarks.json), and the readers of their folders.

An incomplete set is refused: the first ten files that are missing, unexpected or of another size are listed with a
count before any work starts. `Benchmark.focus` says how the protocol of the set's papers finds focus and blur. Where no
layout is published, the set is read in ours (`pairs`).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from wideopen.checks import require
from wideopen.errors import InvalidInput
from wideopen.evals.exact import inverse_depth
from wideopen.evals.mattes import IMAGE_SUFFIXES, MattePair
from wideopen.evals.pairs import (
    LISTED,
    FoundPairs,
    Layout,
    Meta,
    Pair,
    PairProblem,
    counted,
    extra_file,
    find_pairs,
    listed,
    read_object,
    require_equal_sizes,
    together,
)
from wideopen.options import is_number

OPTION = "--root"
JPEG = (".jpg", ".jpeg")
FILE = Path(__file__).with_name("benchmarks.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One set, a row of benchmarks.json: what it holds, where to get it, and how it is judged."""

    name: str
    title: str
    task: Literal["bokeh", "matting"]
    count: int | None  # pairs; None = as many as the set's own metadata names
    layout: str  # below --root, for people
    reader: str  # a key of `READERS`
    folders: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by kind, the first that exists is read
    suffixes: Sequence[str] = (".png",)  # of mattes
    focus: str = "-"  # how focus and blur are found
    search: bool = False  # the blur of each picture is searched
    licence: str
    where: str

    def find(self, root: Path) -> FoundPairs[Any]:
        """The pairs below `root`, and the problems of the others."""
        return READERS[self.reader](self, root)

    def complete(self, root: Path, *, partial: bool = False) -> FoundPairs[Any]:
        """The pairs below `root`, and with `partial` the problems of the others.

        Raises InvalidInput for a set that lacks files, has others, or is of another layout.
        """
        require(root.is_dir(), f"{OPTION}: expected the folder of {self.title}, found no folder {root}")
        try:
            found = self.find(root)
        except InvalidInput as error:
            held = ", ".join(sorted(path.name for path in root.iterdir())[:LISTED]) or "nothing"
            raise InvalidInput(f"{error}; {self.title} is read as {self.layout}, and {root} holds {held}") from error
        pairs, problems = found.pairs, list(found.problems)
        if self.count is not None and len(pairs) != self.count:
            problems.append(PairProblem("count", f"expected {self.count} pairs, found {len(pairs)} usable ones"))
        fine = not problems or (partial and len(pairs) > 0)
        hint = f"; --partial judges the {len(pairs)} usable pairs" if pairs and not partial else ""
        what = f"{self.title} ({self.layout}) in {root}, found {counted(problems)}{hint}"
        require(fine, f"{OPTION}: expected {what}:{listed(problems).replace(f'{root}/', '')}")
        return FoundPairs(pairs, tuple(problems))


def _in_folders(
    root: Path, folders: Mapping[str, Sequence[str]], names: Sequence[str] | None = None
) -> FoundPairs[Pair]:
    layout = Layout(folders=folders, suffixes=dict.fromkeys(folders, JPEG), equal=("sharp", "bokeh"))
    files, problems = together(root, layout, option=OPTION, names=names, strict=names is None)
    return FoundPairs(tuple(Pair(name=name, **of_pair) for name, of_pair in files.items()), tuple(problems))


def _mattes(root: Path, one: Benchmark) -> FoundPairs[MattePair]:
    suffixes = {"rgb": IMAGE_SUFFIXES, "alpha": one.suffixes}
    layout = Layout(folders=one.folders, suffixes=suffixes, equal=("rgb", "alpha"))
    files, problems = together(root, layout, option=OPTION, strict=True)
    pairs = (MattePair(one.name.upper(), name, of["rgb"], of["alpha"], "val") for name, of in files.items())
    return FoundPairs(tuple(pairs), tuple(problems))


def _val294(root: Path) -> FoundPairs[Pair]:
    """The last 294 training pairs, as Dutta et al. (CVPRW 2021) list them; or in/, gt/, as Bokehlicious keeps them."""
    if (root / "test").is_dir():
        return _in_folders(root, {"sharp": ["test/in"], "bokeh": ["test/gt"]})
    names = [str(number) for number in range(4400, 4694)]
    folders = {"sharp": ["Training/original", "original"], "bokeh": ["Training/bokeh", "bokeh"]}
    return _in_folders(root, folders, names)


def realbokeh(root: Path) -> FoundPairs[Pair]:
    """All apertures of all scenes; the level of a picture is 1 / f-number, its group the scene. Raises InvalidInput."""
    folder = root / "test" if (root / "test").is_dir() else root
    files = sorted((folder / "metadata").glob("*.json"))
    require(len(files) > 0, f"{OPTION}: expected files {folder / 'metadata'}/*.json, found none")
    pairs, problems, named = [], [], set()
    for file in files:
        try:
            scene = read_object(file)
            sharp = folder / _of(scene, "source_image", str, file)
            targets, numbers = (_of(scene, key, list, file) for key in ("target_images", "target_avs"))
            require(len(targets) == len(numbers), f"{file}: expected as many target_avs as target_images")
        except InvalidInput as error:
            problems.append(PairProblem(file.name, str(error)))
            continue
        named.add(sharp)
        for target, number in zip(targets, numbers, strict=True):
            bokeh = folder / str(target)
            named.add(bokeh)
            try:
                _require_files(sharp, bokeh)
            except InvalidInput as error:
                problems.append(PairProblem(bokeh.stem, str(error)))
                continue
            meta = Meta(group=file.stem)
            pairs.append(Pair(name=bokeh.stem, sharp=sharp, bokeh=bokeh, meta=meta, level=1 / float(number)))
    return FoundPairs(tuple(pairs), (*problems, *_extra(folder, ("metadata", "in", "gt"), {*files, *named})))


def blb(root: Path) -> FoundPairs[Pair]:
    """BokehMe's scenes: radius K |1 / depth - focus| in pixels, display gamma 2.2; 5 blurs of 10 focuses each.

    info.json names the five blurs `blur_parameters`; its only list of ten numbers is taken for the focuses.
    """
    folder = root / "data" if (root / "data").is_dir() else root
    some = any(folder.glob("*/info.json"))
    require(some, f"{OPTION}: expected folders {folder}/SCENE with info.json, found none")
    pairs, problems = [], []
    extra: list[PairProblem] = []
    for scene in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        named = {scene / name for name in ("info.json", "image.exr", "depth.exr")}
        try:
            require((scene / "info.json").is_file(), f"expected {scene / 'info.json'}, found none")
            blurs, focuses = _lists(scene / "info.json")
            _require_files(scene / "image.exr", scene / "depth.exr")
            _, (low, high) = inverse_depth(scene / "depth.exr")
        except InvalidInput as error:
            problems.append(PairProblem(scene.name, str(error)))
            continue
        for k, blur in enumerate(blurs):
            for f, focus in enumerate(focuses):
                name, bokeh = f"{scene.name}_{k:02}_{f:02}", scene / f"bokeh_{k:02}_{f:02}.exr"
                named.add(bokeh)
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
                    problems.append(PairProblem(name, str(error)))
                    continue
                maps = {"sharp": scene / "image.exr", "disparity": scene / "depth.exr"}
                pairs.append(Pair(name=name, bokeh=bokeh, meta=meta, level=blur, gamma=2.2, **maps))
        extra += _extra(folder, (scene.name,), named)
    return FoundPairs(tuple(pairs), (*problems, *extra))


def _lists(file: Path) -> tuple[list[float], list[float]]:
    """The blurs and the focuses in a scene's info.json. Raises InvalidInput."""
    info = read_object(file)
    blurs = _of(info, "blur_parameters", list, file)
    tens = [v for v in info.values() if isinstance(v, list) and len(v) == 10 and all(map(is_number, v))]
    require(len(blurs) == 5 and all(map(is_number, blurs)), f"{file}: expected five blur_parameters, found {blurs}")
    require(len(tens) == 1, f"{file}: expected one list of ten numbers, the focuses, found {len(tens)}")
    return blurs, tens[0]


def _of(data: dict[str, Any], key: str, kind: type, file: Path) -> Any:
    require(isinstance(data.get(key), kind), f"{file}: expected {key} ({kind.__name__}), found {data.get(key)!r}")
    return data[key]


def _require_files(first: Path, second: Path) -> None:
    for path in (first, second):
        require(path.is_file(), f"expected {path}, found none")
    require_equal_sizes(first, second)


def _extra(root: Path, folders: Sequence[str], named: set[Path]) -> Iterator[PairProblem]:
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and not path.name.startswith(".") and path not in named:
                yield extra_file(path)


READERS: dict[str, Callable[["Benchmark", Path], FoundPairs[Any]]] = {
    "pairs": lambda one, root: _in_folders(root, one.folders),
    "val294": lambda _, root: _val294(root),
    "realbokeh": lambda _, root: realbokeh(root),
    "blb": lambda _, root: blb(root),
    "ours": lambda _, root: find_pairs(root, option=OPTION, strict=True),
    "mattes": lambda one, root: _mattes(root, one),
}
BENCHMARKS: dict[str, Benchmark] = {
    row["name"]: Benchmark(**row) for row in json.loads(FILE.read_text(encoding="utf-8"))
}


def benchmark(name: str, task: str) -> Benchmark:
    """The benchmark of a name. Raises InvalidInput for an unknown one, and for one of another task."""
    known = [one.name for one in BENCHMARKS.values() if one.task == task]
    other = f", of eval {BENCHMARKS[name].task}" if name in BENCHMARKS else ""
    require(name in known, f"--benchmark: expected one of {', '.join(known)}, found {name!r}{other}")
    return BENCHMARKS[name]
