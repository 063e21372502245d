"""Rendering imports neither torch, transformers nor their dependencies, which the base installation lacks."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from tiny_depth import save_tiny_onnx

BLOCKED = """
import sys
for name in ("torch", "transformers", "safetensors", "onnx", "lightning", "torchvision"):
    sys.modules[name] = None  # importing it raises
"""
WAYS = {
    "command": """
from wideopen.cli import main
try:
    main(["render", "photo.png", "-o", "out.png", "--depth", "model", "--blur", "8px"])
except SystemExit as end:
    assert not end.code
""",
    "python": """
import numpy as np
from wideopen import Lens, analyze, read, render
scene = analyze(read("photo.png"), depth="model/onnx/model.onnx")
assert scene.maps.matte_source == "predicted by mobile", scene.maps
assert render(scene, Lens(focus_disparity=0.5, max_radius=0.05)).shape == (72, 96, 3)
""",
    "workers": """
from wideopen.settings import MapSettings
from wideopen.workers import WarmUp
import wideopen.service.app, wideopen.studio.work, wideopen.batch.work
WarmUp(maps=MapSettings(depth="model"))()
""",
}


@pytest.mark.parametrize("way", WAYS)
def test_photos_are_rendered_without_torch(way, tmp_path):
    photo = np.random.default_rng(0).integers(0, 256, (72, 96, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "photo.png"), photo)
    save_tiny_onnx(tmp_path / "model")
    command = [sys.executable, "-c", BLOCKED + WAYS[way] + "\nprint('done')"]
    (tmp_path / "tmp").mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"} | {
        "TMPDIR": str(tmp_path / "tmp")
    }
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("done\n"), done.stderr
    assert list((tmp_path / "tmp").iterdir()) == []  # ONNX Runtime's telemetry would leave its .ses there
