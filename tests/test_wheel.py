"""What the wheel holds: every file of the package that is not Python, found by setuptools as a build finds it."""

import os
from pathlib import Path

from setuptools.dist import Distribution

ROOT = Path(__file__).parents[1]
NOT_SHIPPED = {"presets/README.md"}


def test_wheel_holds_every_file_of_the_package(monkeypatch):
    monkeypatch.chdir(ROOT)
    distribution = Distribution()
    distribution.parse_config_files([os.fspath(ROOT / "pyproject.toml")])
    distribution.include_package_data = False  # else setuptools writes an egg-info folder to find out
    build = distribution.get_command_obj("build_py")
    build.ensure_finalized()
    shipped = {f"{package}/{name}" for package, _, _, names in build.data_files for name in names}
    source = ROOT / "src" / "wideopen"
    files = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    held = {name for name in files if not name.endswith((".py", ".pyc", ".nbi", ".nbc"))} - NOT_SHIPPED
    assert shipped == {f"wideopen/{name}" for name in held}
    assert {"matting/weights/mobile.onnx", "disparity/weights/small.onnx", "presets/paper.json"} <= held
    assert distribution.metadata.license_files == ["LICENSE", "NOTICE"]
