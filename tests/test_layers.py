"""Imports point one way, without a cycle, as docs/conventions.md says, and light modules stay light."""

import ast
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

import wideopen

ROOT = Path(wideopen.__file__).parent
LAYERS = (  # a module may import its own room, and rooms above it in this list
    ("errors", "checks", "backends", "networks", "color", "options", "lens", "optics", "timing", "memory"),
    ("arrays",),
    ("hdr",),
    ("photo",),
    ("matting",),
    ("disparity",),
    ("sheets",),
    ("rendering",),
    ("grain",),
    ("settings",),
    ("pipeline",),
    ("files",),
    ("session",),
    ("workers",),
    ("evals",),
    ("train", "studio", "batch"),
    ("service",),
    ("cli",),
)
LEAVES = LAYERS[0]  # these may import each other, but not in a circle
LEVEL = {group: level for level, groups in enumerate(LAYERS) for group in groups}
HEAVY = {"torch", "numba", "cv2", "PIL", "transformers", "pillow_heif", "tifffile"}


def modules():
    """Return (path, parts of the name) of every module but `wideopen/__init__.py`, which only forwards names."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if parts:
            yield path, parts


def imported(path, parts):
    """Return the names of ours that the module imports anywhere in it, functions included, without `wideopen.`"""
    package = parts if path.name == "__init__.py" else parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join(("wideopen", *package[: len(package) - node.level + 1], *filter(None, [node.module])))
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.removeprefix("wideopen.") for name in names if name.startswith("wideopen."))


EDGES = sorted({(".".join(parts), name) for path, parts in modules() for name in imported(path, parts)})


def test_every_module_has_a_layer():
    assert {parts[0] for _, parts in modules()} - set(LEVEL) == set()


def test_imports_are_found_at_all():
    assert ("cli.maps", "session.open_photo.find_maps") in EDGES  # inside a function
    assert ("rendering.aperture", "lens.Aperture") in EDGES  # at the top
    assert len(EDGES) > 100


@pytest.mark.parametrize("group", LEVEL)
def test_no_layer_imports_a_higher_one_or_its_neighbour(group):
    bad = []
    for module, name in EDGES:
        target = name.split(".")[0]
        if module.split(".")[0] != group or target not in LEVEL or target == group:
            continue
        leaves = group in LEAVES and target in LEAVES
        if not leaves and LEVEL[target] >= LEVEL[group]:
            bad.append(f"{module} imports {name}")
    assert bad == []


def test_no_module_imports_itself_by_way_of_others():
    names = {".".join(parts) for _, parts in modules()}
    below = {
        module: {name if name in names else name.rpartition(".")[0] for m, name in EDGES if m == module}
        & names - {module}
        for module in names
    }
    while free := [module for module, needs in below.items() if not needs]:
        below = {module: needs - set(free) for module, needs in below.items() if module not in free}
    assert below == {}


def test_conventions_name_the_layers_in_the_same_order():
    page = Path(__file__).parents[1] / "docs" / "conventions.md"
    lines = page.read_text(encoding="utf-8").split("## Layers")[1].splitlines()
    rank = {}
    for number, line in enumerate(line for line in lines if line[:1].isdigit()):
        for group in LEVEL:
            if f"`{group}`" in line or f"`{group}/*`" in line:
                rank.setdefault(group, number)
    assert set(rank) == set(LEVEL)
    for upper, lower in pairwise(LAYERS):
        assert max(rank[group] for group in upper) <= min(rank[group] for group in lower)


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("wideopen", HEAVY | {"numpy"}),
        ("wideopen.settings", HEAVY | {"numpy"}),
        ("wideopen.cli", HEAVY | {"numpy", "wideopen.files"}),
    ],
)
def test_importing_stays_light(module, unwanted):
    script = f"import sys, {module}; print(*{unwanted!r} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
