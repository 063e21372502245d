"""`--mattes FOLDER`: each photo's matte is found by name."""

import json

import numpy as np
from PIL import Image
from small_portrait import load, save_grey, subject


def test_each_photo_finds_its_matte(wideopen, folder):
    (folder / "mattes").mkdir()
    save_grey("mattes/photo.png", subject())
    Image.open("photo.png").save("other.png")
    np.save("mattes/other.npy", subject().astype(np.float32))
    done = wideopen(
        "render", "photo.png", "other.png", "-o", "out", "--mattes", "mattes", "--depth", "planar", "--json"
    )
    assert done.code == 0
    assert '"matte": "mattes/photo.png"' in done.out
    assert '"matte": "mattes/other.npy"' in done.out
    assert wideopen("render", "photo.png", "-o", "one.png", "--matte", "matte.png", "--depth", "planar").code == 0
    assert np.array_equal(load("one.png"), load("out/photo.bokeh.png"))


def test_each_photo_finds_its_hint(wideopen, folder):
    (folder / "hints").mkdir()
    save_grey("hints/photo.png", subject())
    Image.open("photo.png").save("other.png")
    done = wideopen(
        "render", "photo.png", "other.png", "-o", "out", "--matte-hints", "hints", "--depth", "planar", "--json"
    )
    assert done.code == 0
    assert [json.loads(line)["matte"] for line in done.out.splitlines()] == [
        "predicted by mobile from a hint",
        "predicted by mobile",
    ]


def test_a_missing_folder_or_matte_is_refused(wideopen, refused, folder):
    (folder / "mattes").mkdir()
    assert refused("render", "photo.png", "--mattes", "nowhere") == "--mattes: expected a folder, found nowhere"
    line = refused("render", "photo.png", "--mattes", "mattes", "--depth", "planar")
    assert line == "--mattes: expected a matte mattes/photo.png, found none"
    assert "found 2" in refused("render", "photo.png", "--mattes", "mattes", "--matte", "matte.png")
    assert "found 2" in refused("render", "photo.png", "--mattes", "mattes", "--matte-hints", "mattes")
    line = refused("render", "photo.png", "--matte-hints", "photo.png")
    assert line == "--matte-hints: expected a folder, found photo.png"
    line = refused("matte", "photo.png", "-o", "m.png", "--matting", "large")
    assert line.startswith("matting: expected auto, embedded, mobile")
