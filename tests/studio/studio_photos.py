"""Small photos with their maps kept inside, so that no network is needed, for the tests of the studio."""

import importlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wideopen.color import srgb_decode
from wideopen.files import Keep, write
from wideopen.photo import Photo

WIDTH, HEIGHT = 240, 180


def matte():
    """(H, W): a disk in the middle, with an edge 4 pixels wide."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    return np.clip((50 - np.hypot(x - WIDTH / 2, y - HEIGHT / 2)) / 4 + 0.5, 0, 1).astype(np.float32)


def disparity():
    """(H, W): the disk at 0.9, behind it a slope up to 0.3."""
    slope = np.broadcast_to(np.linspace(0, 0.3, WIDTH, dtype=np.float32), (HEIGHT, WIDTH))
    return np.where(matte() > 0.5, np.float32(0.9), slope).astype(np.float32)


def light(seed=7):
    """(H, W, 3) linear light: a reddish disk, as busy as what is behind it."""
    rng = np.random.default_rng(seed)
    codes = rng.uniform(0.1, 0.7, (HEIGHT // 3, WIDTH // 3, 3)).repeat(3, 0).repeat(3, 1)
    inside = matte()[..., None]
    codes = codes * (1 - inside) + inside * np.clip(0.6 * codes + (0.4, 0.05, 0), 0, 1)
    return srgb_decode(codes).astype(np.float32)


TRAPS = {  # the last bytes of a photo's file, and what the decoder of `decode_with_traps` then does
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "hang": lambda: time.sleep(600),
    "wait": lambda: time.sleep(1.5),
}


def kept_photo(path, seed=7, times=1, trap=""):
    """Write the photo, `times` as wide and high and then with noise, in a file that holds matte and disparity.

    `trap`: what a decoder that `decode_with_traps` has set does with it.
    """
    rgb, maps = light(seed), [matte(), disparity()]
    if times > 1:
        rgb, *maps = (values.repeat(times, 0).repeat(times, 1) for values in (rgb, *maps))
        rgb = rgb * np.random.default_rng(seed).uniform(0.8, 1.2, rgb.shape).astype(np.float32)
    write(path, rgb, like=Photo(rgb=rgb), quality=95, keep=Keep(matte=maps[0], disparity=maps[1]))
    if trap:
        path.write_bytes(path.read_bytes() + trap.encode())  # after the end of the picture, where nobody looks
    return path


def quietly(share, what):
    """Show no progress."""


def decode_with_traps():
    """In a worker: have its decoder write the process's id beside the photo, and fall into the photo's trap."""
    importlib.import_module("wideopen.studio.work")  # as a real warm-up does: it takes seconds
    read = importlib.import_module("wideopen.files.read")
    raster_in = read.raster_in

    def decode(data, path, **options):
        path.with_suffix(".pid").write_text(str(os.getpid()))
        for trap, fall in TRAPS.items():
            if data.endswith(trap.encode()):
                fall()
        return raster_in(data, path, **options)

    read.raster_in = decode


@dataclass
class HoldMaps:
    """A warm-up after which the worker's downloads of maps wait while there is a pipe at `held`."""

    held: str
    warm_up: Any

    def __call__(self):
        self.warm_up()
        from wideopen.studio import work

        write_maps = work.write_maps

        def hold(*arguments):
            if Path(self.held).exists():
                Path(self.held).read_bytes()  # until a test has opened and closed the other end of the pipe
            return write_maps(*arguments)

        work.write_maps = hold
