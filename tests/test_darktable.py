"""The export target inside darktable itself: photos are exported by its button, rendered, imported and grouped."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SCRIPT = Path(__file__).parents[1] / "integrations" / "darktable" / "wideopen.lua"
WIDEOPEN = Path(sys.executable).with_name("wideopen")
NAMES = ("it's a $(photo).jpg", "two.jpg")
SETTINGS = """plugins/lighttable/export/storage_name=wideopen
plugins/lighttable/export/format_name=tiff
plugins/imageio/format/tiff/bpp=16
"""
# Selects the photos, presses the button, and writes each image's name and its group's leader when all are there.
LUARC = """local dt = require "darktable"
dt.preferences.write("wideopen", "command", "string", os.getenv("WIDEOPEN"))
dt.preferences.write("wideopen", "blur", "string", "10%")
require "wideopen"
dt.control.dispatch(function()
  dt.control.sleep(2000)
  local photos = {}
  for name in os.getenv("PHOTOS"):gmatch("[^\\n]+") do table.insert(photos, dt.database.import(name)) end
  dt.gui.selection(photos)
  dt.gui.action("lib/export/export", 0, "", "", 1)
  while #dt.database < 2 * #photos do dt.control.sleep(250) end
  dt.control.sleep(500)
  local found = io.open(os.getenv("FOUND") .. ".part", "w")
  for _, image in ipairs(dt.database) do found:write(image.filename, "\\t", image.group_leader.filename, "\\n") end
  found:close()
  os.rename(os.getenv("FOUND") .. ".part", os.getenv("FOUND"))
end)
"""


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("darktable") and shutil.which("Xvfb")), reason="needs darktable and Xvfb")
def test_darktable_groups_results_with_their_originals(tmp_path):
    config, photos, found = tmp_path / "config", tmp_path / "photos", tmp_path / "found"
    (config / "lua").mkdir(parents=True)
    photos.mkdir()
    shutil.copy(SCRIPT, config / "lua")
    (config / "luarc").write_text(LUARC, encoding="utf-8")
    (config / "darktablerc").write_text(SETTINGS, encoding="utf-8")
    noise = np.random.default_rng(5).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    for name in NAMES:
        Image.fromarray(noise).save(photos / name, quality=95)
    env = {**os.environ, "WIDEOPEN": str(WIDEOPEN), "FOUND": str(found), "TMPDIR": str(tmp_path)}
    env["PHOTOS"] = "\n".join(str(photos / name) for name in NAMES)
    reader, writer = os.pipe()
    with subprocess.Popen(["Xvfb", "-displayfd", str(writer)], pass_fds=[writer], stderr=subprocess.DEVNULL) as screen:
        env["DISPLAY"] = f":{os.read(reader, 9).decode().strip()}"
        command = ["darktable", "--library", ":memory:", "--configdir", config, "--cachedir", tmp_path / "cache"]
        with subprocess.Popen(
            [*command, "--disable-opencl"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as program:
            deadline = time.monotonic() + 120
            while not found.exists() and program.poll() is None and time.monotonic() < deadline:
                time.sleep(0.5)
            program.kill()
        screen.terminate()
    leaders = dict(line.split("\t") for line in found.read_text(encoding="utf-8").splitlines())
    assert leaders == {result: name for name in NAMES for result in (name, Path(name).with_suffix(".bokeh.tif").name)}
