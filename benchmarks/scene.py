"""A portrait as large and noisy as a phone's, with drawn maps, and the command in a process of its own.

    python benchmarks/scene.py FOLDER WIDTH HEIGHT

A child's peak memory, as the system counts it, is never below that of its parent at the start: who measures it makes
the photo in a process of its own, with this command.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

COMMAND = Path(sys.executable).with_name("wideopen")
SIZES = {12: (4000, 3000), 3: (2000, 1500), 1: (1200, 900)}  # megapixels: width, height
SHARE = 0.024  # the default radius, as a share of the long side


def make_scene(folder: Path, width: int, height: int) -> None:
    """Write photo.jpg, matte.png (8 bit) and disparity.png (16 bit): a portrait as large and noisy as a phone's."""
    import cv2
    import numpy as np
    import skimage.data

    rng = np.random.default_rng(12)
    astronaut = skimage.data.astronaut()[:384]
    photo = cv2.resize(astronaut, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    detail = cv2.GaussianBlur(rng.standard_normal((height, width, 1), np.float32), (0, 0), 1.2)
    photo += 14 * detail[..., None] + 3 * rng.standard_normal((height, width, 3), np.float32)
    cv2.imwrite(str(folder / "photo.jpg"), np.clip(photo, 0, 255).astype(np.uint8)[..., ::-1])
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / width
    head = np.hypot((x - 0.44) / 0.13, (y - 0.22) / 0.17) - 1
    body = np.hypot((x - 0.42) / 0.36, (y - 0.80) / 0.42) - 1
    hair = 0.15 * cv2.GaussianBlur(rng.standard_normal((height, width), np.float32), (0, 0), 3)
    matte = np.clip(0.5 - np.minimum(head, body) * 12 + hair, 0, 1)
    cv2.imwrite(str(folder / "matte.png"), np.rint(matte * 255).astype(np.uint8))
    disparity = np.where(matte > 0.5, 0.8, 0.05 + 0.45 * y * width / height + 0.1 * x)
    cv2.imwrite(str(folder / "disparity.png"), np.rint(disparity * 65535).astype(np.uint16))


def cold(arguments: list[str], folder: Path, **environment: str) -> tuple[float, float, str]:
    """Run `wideopen ARGUMENTS` in a process of its own; return (wall seconds, peak memory in MB, its stdout)."""
    environment = {**os.environ, **environment}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its bytecode
    start = time.perf_counter()
    with subprocess.Popen(
        [COMMAND, *arguments], cwd=folder, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        out = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"wideopen {' '.join(arguments)}: exit {process.returncode}")
    return wall, usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2) * 1.048576, out


if __name__ == "__main__":
    make_scene(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
