"""Bad input: exit 2, one line that names what, expected and found, and no file touched (the fixture `refused`)."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from small_portrait import HEIGHT, WIDTH, contents, save_grey, subject

from wideopen import cli

MATTE = ("--matte", "matte.png")
COMMANDS = {
    "photo": ("render", "FILE", *MATTE),
    "matte": ("render", "photo.png", "--matte", "FILE"),
    "hint": ("render", "photo.png", "--matte-hint", "FILE"),
    "disparity": ("render", "photo.png", *MATTE, "--disparity", "FILE"),
    "depth": ("render", "photo.png", *MATTE, "--depth-m", "FILE"),
    "photo of matte": ("matte", "FILE", "-o", "m.png"),
    "photo of depth": ("depth", "FILE", "-o", "d.png", *MATTE),
    "matte of depth": ("depth", "photo.png", "-o", "d.png", "--matte", "FILE"),
}


@pytest.fixture(params=COMMANDS)
def refused_file(request, refused):
    """Return a function that gives a file to a command in each place where a file can stand."""

    def run(name):
        name = str(name)
        if request.param == "depth" and name.endswith(".png"):
            name = name.removesuffix(".png") + ".npy"
            if os.path.lexists(name.removesuffix(".npy") + ".png"):
                os.rename(name.removesuffix(".npy") + ".png", name)  # noqa: PTH104
        line = refused(*(name if argument == "FILE" else argument for argument in COMMANDS[request.param]))
        assert line.startswith(name.removesuffix(".png"))
        return line

    return run


def test_a_missing_file_is_refused(refused_file):
    assert "found no such file" in refused_file("none.png")


def test_an_empty_file_is_refused(refused_file, folder):
    (folder / "empty.png").write_bytes(b"")
    assert "found an empty file" in refused_file("empty.png")


def test_a_folder_is_refused(refused_file, folder):
    (folder / "folder.png").mkdir()
    assert "found a folder" in refused_file("folder.png")


def test_a_text_file_is_refused(refused_file, folder):
    (folder / "notes.png").write_text("Dear diary, this is no picture. " * 20)
    line = refused_file("notes.png")
    assert "expected" in line
    assert "found" in line


def test_a_truncated_png_is_refused(refused_file, folder):
    (folder / "cut.png").write_bytes((folder / "photo.png").read_bytes()[:-3000])
    refused_file("cut.png")


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_truncated_jpeg_is_refused(refused, folder, share):
    data = (folder / "photo.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(data[: int(share * len(data))])
    assert "damaged or incomplete JPEG" in refused("render", "cut.jpg", *MATTE)


def test_a_name_too_long_to_read_is_refused(refused_file):
    assert "cannot be" in refused_file("n" * 300 + ".png")  # read, or, for a photo, written as n...n.bokeh.png


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_refused(refused_file, folder):
    (folder / "secret.png").write_bytes((folder / "photo.png").read_bytes())
    (folder / "secret.png").chmod(0)
    assert "cannot be read" in refused_file("secret.png")


def test_a_pipe_is_refused(refused_file, folder):
    os.mkfifo(folder / "pipe.png")
    # Its reader would wait for ever, so the listing of the folder must not open it either: `is_file` is false.
    assert "found something other than a file" in refused_file("pipe.png")


def bomb(width, height):
    """Return a PNG that claims this size and holds nothing to speak of."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_by_its_header(refused, folder):
    (folder / "bomb.png").write_bytes(bomb(24000, 10000))
    for command in (("render", "bomb.png", *MATTE), ("matte", "bomb.png", "-o", "m.png")):
        line = refused(*command)
        assert "expected at most 220 megapixels" in line
        assert "24000 x 10000 pixels (240 megapixels)" in line


def test_limit_of_megapixels_is_an_option(wideopen, refused):
    assert "at most 0.005 megapixels" in refused("render", "photo.png", *MATTE, "--max-megapixels", "0.005")
    assert wideopen("render", "photo.png", *MATTE, "--max-megapixels", "0.0062").code == 0
    assert "max_megapixels" in refused("render", "photo.png", *MATTE, "--max-megapixels", "0", "-o", "r.png")


@pytest.mark.parametrize("option", ["--matte", "--disparity"])
def test_map_of_nearly_the_photos_aspect_is_resized_another_refused(wideopen, refused, option):
    maps = {"--matte": "matte.png", "--disparity": "disparity.png"}

    def command(width, height):
        save_grey("map.png", np.full((height, width), 0.5))
        pairs = {**maps, option: "map.png"}
        return "render", "photo.png", "-o", f"{width}.png", *(word for pair in pairs.items() for word in pair)

    assert wideopen(*command(10 * WIDTH + 9, 10 * HEIGHT)).code == 0  # 0.94 % off
    line = refused(*command(10 * WIDTH + 20, 10 * HEIGHT))  # 2 % off
    assert f"expected the aspect of the photo, {WIDTH} x {HEIGHT}, found 980 x 640" in line


def test_depth_of_another_aspect_is_refused(refused):
    np.save("depth.npy", np.ones((HEIGHT, HEIGHT), np.float32))
    assert "expected the aspect of the photo" in refused("render", "photo.png", *MATTE, "--depth-m", "depth.npy")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_disparity_that_is_not_finite_is_refused(refused, value):
    values = np.full((HEIGHT, WIDTH), 0.5, np.float32)
    values[3, 5] = value
    np.save("d.npy", values)
    assert "NaN or infinity" in refused("render", "photo.png", *MATTE, "--disparity", "d.npy")


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (np.full((HEIGHT, WIDTH), 7.0), "found [7, 7]"),
        (np.full((HEIGHT, WIDTH), -0.5), "found [-0.5, -0.5]"),
        (np.zeros((HEIGHT, WIDTH, 3), np.float32), "found float32 (64, 96, 3)"),
        (np.zeros((HEIGHT, WIDTH), np.uint8), "found uint8 (64, 96)"),
        (np.array([{}]), "no readable .npy"),
    ],
    ids=["above 1", "negative", "colours", "integers", "objects"],
)
def test_an_invalid_disparity_array_is_refused(refused, array, found):
    np.save("d.npy", array, allow_pickle=True)
    assert found in refused("render", "photo.png", *MATTE, "--disparity", "d.npy")


@pytest.mark.parametrize(("value", "found"), [(0, "found 0"), (-2, "found -2"), (np.nan, "found NaN")])
def test_depth_not_above_zero_is_refused(refused, value, found):
    depth = np.full((HEIGHT, WIDTH), 2, np.float32)
    depth[0, 0] = value
    np.save("depth.npy", depth)
    assert found in refused("render", "photo.png", *MATTE, "--depth-m", "depth.npy")


def test_a_picture_as_depth_in_metres_is_refused(refused):
    assert "expected depth in metres as a .npy file" in refused("render", "photo.png", "--depth-m", "disparity.png")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--matte", "matte.png"), "--matte and --matte-hint: expected one of them, found 2"),
        (("--matting-start", "isnet", "--offline"), "not on disk, and offline: nothing was downloaded"),
        (("--matting", "embedded"), "expected a portrait matte inside the photo's file"),
    ],
)
def test_a_hint_beside_another_source_is_refused(refused, options, line):
    assert line in refused("render", "photo.png", "--matte-hint", "matte.png", *options)


def test_disparity_and_depth_together_are_refused(refused):
    np.save("depth.npy", np.ones((HEIGHT, WIDTH)))
    options = ("--disparity", "disparity.png", "--depth-m", "depth.npy")
    assert "expected one of them, found both" in refused("render", "photo.png", *MATTE, *options)


@pytest.mark.parametrize("option", ["--matte", "--disparity"])
def test_a_map_in_colour_is_refused(refused, option):
    assert "expected a grey picture, found colours" in refused("render", "photo.png", *MATTE, option, "photo.jpg")


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--blur", "40", "expected a radius such as 40px or 2.5%, found '40'"),
        ("--blur", "-3px", "expected a radius"),
        ("--blur", "nanpx", "expected a radius"),
        ("--blur", "30px", "expected at most 25% of the long side (24px), found 30px"),
        ("--blur", "26%", "expected at most 25% of the long side, found 26%"),
        ("--blur", "", "expected a radius"),
        ("--focus", "eyes", "expected subject, X,Y or d=DISPARITY, found 'eyes'"),
        ("--focus", "96,3", "expected a point within 96 x 64, found 96,3"),
        ("--focus", "-1,3", "expected a point within 96 x 64, found -1,3"),
        ("--focus", "d=1.2", "expected a disparity in [0, 1], found 'd=1.2'"),
        ("--focus-range", "-0.1", "focus_range: expected [0, 1], found -0.1"),
        ("--focus-range", "nan", "focus_range: expected a finite number, found nan"),
        ("--aperture", "heart", "expected disk or polygon:SIDES[@DEGREES][~CURVATURE], found 'heart'"),
        ("--aperture", "polygon:6~1.5", "aperture: expected a curvature in [0, 1], found 'polygon:6~1.5'"),
        ("--grain", "some", "grain: expected auto, off or 0 to 32 (8-bit codes), found 'some'"),
        ("--grain", "33", "grain: expected auto, off or 0 to 32 (8-bit codes), found '33'"),
        ("--grain", "nan", "grain: expected auto, off or 0 to 32"),
        ("--cat-eye", "1.5", "cat_eye: expected [0, 1], found 1.5"),
        ("--cat-eye", "-0.1", "cat_eye: expected [0, 1], found -0.1"),
        ("--aperture", "polygon:2", "aperture: expected 3 to 16 sides, found 'polygon:2'"),
        ("--aperture", "polygon:17", "aperture: expected 3 to 16 sides, found 'polygon:17'"),
        ("--look", "dreamy", "look: expected thin-lens or paper, found 'dreamy'"),
        ("--planes", "1", "planes: expected 2 to 256, found 1"),
        ("--planes", "257", "found 257"),
        ("--planes", "many", "found 'many'"),
        ("--planes=many", "", "found 'many'"),
        ("--highlights", "-1", "highlights: expected 0 to 10, found -1"),
        ("--highlights", "inf", "highlights: expected a finite number"),
        ("--backend", "quantum", "backend: expected auto or one of triton, numba, reference, found 'quantum'"),
        ("--output-quality", "0", "output_quality: expected 1 to 100, found 0"),
        ("--output-quality", "101", "output_quality: expected 1 to 100, found 101"),
    ],
)
def test_an_invalid_setting_is_refused_by_name(refused, option, value, expected):
    line = refused("render", "photo.jpg", *MATTE, *((option,) if "=" in option else (option, value)))
    name = option.strip("-").split("=")[0]
    assert name in line or name.replace("-", "_") in line
    assert expected in line


def test_bad_setting_is_seen_before_a_bad_photo(refused):
    assert "blur" in refused("render", "none.png", "--blur", "wide")
    assert "look" in refused("render", "none.png", "--look", "dreamy")


@pytest.mark.parametrize("command", [("render",), ("matte", "-o", "m.png"), ("depth", "-o", "d.png")])
@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ("large", "expected auto, embedded, mobile, paper, a .safetensors or .onnx file, or rembg:NAME, found 'large'"),
        ("none.safetensors", "none.safetensors"),
        ("broken.safetensors", "damaged or cut short"),
    ],
)
def test_unusable_weights_are_refused(refused, folder, command, weights, expected):
    (folder / "broken.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0 not json at all")
    assert expected in refused(*command, "photo.png", "--matting", weights)


@pytest.mark.parametrize("command", [("render",), ("matte", "-o", "m.png"), ("depth", "-o", "d.png")])
def test_a_missing_device_is_refused(refused, monkeypatch, command):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert "device cuda: no CUDA device" in refused(*command, "photo.png", "--device", "cuda")
    assert "expected auto, cpu or cuda, found 'tpu'" in refused(*command, "photo.png", "--device", "tpu")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("render",), "Missing argument 'photos'"),
        (("render", "photo.png", "--bokeh"), "--bokeh"),
        (("render", "photo.png", "--blur"), "--blur"),
        (("paint", "photo.png"), "paint"),
        (("photo.png",), "expected a command, found a file: wideopen render photo.png"),
        (("--verbose",), "--verbose"),
        (("matte", "photo.png"), "--out"),
        (("matte", "photo.png", "photo.jpg", "-o", "m.png"), "photo.jpg"),
        (("info", "photo.png", "other.png"), "other.png"),
    ],
)
def test_usage_errors_say_what_was_found(refused, arguments, expected):
    assert expected in refused(*arguments)


@pytest.mark.parametrize("step", ["open_photo.understand", "render_file.render", "render_file.write"])
def test_a_bug_exits_with_1_and_leaves_no_file(wideopen, folder, monkeypatch, step):
    def broken(*_, **__):
        raise ZeroDivisionError("two\nlines")

    monkeypatch.delenv("WIDEOPEN_DEBUG", raising=False)
    monkeypatch.setattr(f"wideopen.session.{step}", broken)
    before = contents(folder)
    done = wideopen("render", "photo.png", *MATTE)
    assert (done.code, done.out, len(done.err)) == (1, "", 1)
    assert "unexpected error: ZeroDivisionError: two lines" in done.err[0]
    assert contents(folder) == before
    monkeypatch.setenv("WIDEOPEN_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        cli.run(["render", "photo.png", *MATTE])


def test_interrupt_leaves_nothing(wideopen, folder, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("wideopen.session.render_file.render", interrupted)
    before = contents(folder)
    done = wideopen("render", "photo.png", *MATTE)
    assert (done.code, done.out) == (130, "")
    assert len(done.err) <= 1
    assert contents(folder) == before


def test_file_names_are_shown_even_with_line_breaks(refused):
    assert "a b.png" in refused("render", "a\nb.png", *MATTE)


def test_a_matte_without_a_subject_is_not_an_error(wideopen):
    Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint8)).save("none.png")
    save_grey("half.png", subject() * 0.5)  # nowhere more than half covered
    assert wideopen("render", "photo.png", "--matte", "none.png", "-o", "a.png").code == 0
    assert wideopen("render", "photo.png", "--matte", "half.png", "-o", "b.png").code == 0
