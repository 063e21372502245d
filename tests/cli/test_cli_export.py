"""`wideopen export matting`, and mattes made with the exported file."""

import numpy as np
import pytest
from PIL import Image


def test_an_exported_network_makes_the_same_matte(wideopen, folder, untrained, refused):
    done = wideopen("export", "matting", "--matting", untrained, "-o", "m.onnx", "--stages", "1")
    assert (done.code, done.err) == (0, [])
    small = ("--matting-size", "64", "--matting-stages", "1")
    for weights, name in ((untrained, "torch.npy"), ("m.onnx", "onnx.npy")):
        assert wideopen("matte", "photo.png", "-o", name, "--matting", weights, *small).code == 0
    mattes = [np.load(name) for name in ("torch.npy", "onnx.npy")]
    assert mattes[0].shape == np.asarray(Image.open("photo.png")).shape[:2]
    assert (np.abs(mattes[0] - mattes[1]) > 1e-3).mean() < 1e-2  # ties of Eq. (1)'s arg-max
    assert "exists already" in refused("export", "matting", "--matting", untrained, "-o", "m.onnx")
    assert "is the input" not in refused("export", "matting", "-o", "m.pt")
    line = refused("matte", "photo.png", "-o", "x.png", "--matting", untrained, "--matting-backend", "onnx")
    assert "expected a .onnx file" in line


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--matting-size", "8", "matting_size: expected at least 32 pixels, found 8"),
        ("--matting-stages", "0", "matting_stages: expected at least 1, found 0"),
        ("--matting-backend", "tpu", "matting_backend: expected auto, torch or onnx, found 'tpu'"),
    ],
)
@pytest.mark.parametrize("command", [("render",), ("matte", "-o", "m.png"), ("depth", "-o", "d.png")])
def test_settings_are_refused_before_the_photo_is_read(refused, command, option, value, expected):
    name, *out = command
    assert refused(name, "photo.png", *out, option, value) == expected
