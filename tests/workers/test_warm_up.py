"""After the warm-up no photo compiles a kernel: else the first photos of a service would time out."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import embedded_files
import hdr_files

SCRIPT = """
import sys
from pathlib import Path
from numba.core.dispatcher import Dispatcher

def kernels():
    modules = [module for name, module in sys.modules.items() if name.startswith("wideopen")]
    found = {id(one): one for module in modules for one in vars(module).values() if isinstance(one, Dispatcher)}
    return {(kernel.py_func.__qualname__, str(kind)) for kernel in found.values() for kind in kernel.signatures}

if __name__ == "__main__":
    from wideopen.files import read, write
    from wideopen.session.open_photo import Given, Job
    from wideopen.session.render_file import render_file
    from wideopen.settings import LensSettings, MapSettings
    from wideopen.workers import WarmUp

    maps = MapSettings(offline=True)
    WarmUp(maps=maps, looks=("thin-lens", "paper"))()
    before = kernels()
    photo, matte = Path(sys.argv[1]), Path(sys.argv[2])
    for given in (Given(), Given(matte=matte)):
        for lens in ({}, {"look": "paper"}, {"focus": "d=0.2", "blur": "8%", "quality": "exact"}):
            for kind in (".jpg", ".png"):
                job = Job(lens=LensSettings(**lens), maps=maps, given=given, overwrite=True)
                report = render_file(photo, photo.with_suffix(f".out{kind}"), job)
                assert report["disparity"].startswith("embedded"), report
    bright = read(sys.argv[3])
    write(Path(sys.argv[3]).with_suffix(".out.jpg"), bright.rgb, like=bright)
    print(len(before), sorted(kernels() - before))
"""


def test_a_photo_with_its_own_depth_compiles_nothing_after_the_warm_up(tmp_path):
    size = (600, 800)  # larger than the network's photo, so that the matte follows its edges
    (tmp_path / "photo.heic").write_bytes(embedded_files.iphone_heic(*size, codes=embedded_files.slope(150, 200)))
    matte = np.zeros(size, np.uint8)
    matte[200:, 300:500] = 255
    Image.fromarray(matte).save(tmp_path / "matte.png")
    bright = hdr_files.ultra_hdr(embedded_files.jpeg(hdr_files.grey(60, 80, 128)), np.full((30, 40), 100, np.uint8))
    (tmp_path / "bright.jpg").write_bytes(bright)
    photos = [tmp_path / name for name in ("photo.heic", "matte.png", "bright.jpg")]
    arguments = [sys.executable, "-c", SCRIPT, *photos]
    tests = str(Path(embedded_files.__file__).parent)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(arguments, check=True, capture_output=True, text=True, env=environment)
    count, new = done.stdout.strip().split(" ", 1)
    assert int(count) > 10
    assert new == "[]"
