"""Photos of every kind end to end: tiny, grey, with a palette, CMYK, with alpha, turned, deep."""

import numpy as np
import pytest
from PIL import Image
from small_portrait import HEIGHT, WIDTH, load, portrait, save_grey, size_of, subject

MAPS = ("--matte", "matte.png", "--disparity", "disparity.png", "--blur", "6px", "-o", "result.png", "--json")
INSIDE = subject() == 1
SIZES = [(1, 1), (1, 2), (1, 50), (50, 1), (2, 2), (3, 5), (7, 5)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("look", ["thin-lens", "paper"])
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_tiny_photos_are_rendered(wideopen, size, look, suffix):
    width, height = size
    Image.new("RGB", size, (200, 120, 60)).save(f"tiny.{suffix}")
    rows = np.linspace(0, 1, height)[:, None].repeat(width, axis=1)
    save_grey("m.png", (rows > 0.4).astype(float))
    np.save("d.npy", rows.astype(np.float32))
    options = ("--matte", "m.png", "--look", look, "--blur", "20%", "-o", "r.png")
    assert wideopen("render", f"tiny.{suffix}", *options).code == 0
    flat = load("r.png")
    assert flat.shape == (height, width, 3)
    assert np.abs(flat.astype(int) - (200, 120, 60)).max() <= 2  # a flat photo stays flat
    assert wideopen("render", f"tiny.{suffix}", *options, "--disparity", "d.npy", "--overwrite").code == 0


@pytest.mark.parametrize(
    "size", [SIZES[0], *(pytest.param(size, marks=pytest.mark.slow) for size in SIZES[1:-1]), SIZES[-1]]
)
def test_tiny_photos_through_the_network(wideopen, untrained, size):
    Image.new("RGB", size, (200, 120, 60)).save("tiny.png")
    network = ("--matting", untrained)
    assert wideopen("matte", "tiny.png", "-o", "m.png", *network).code == 0
    assert size_of("m.png") == size
    assert wideopen("depth", "tiny.png", "-o", "d.png", *network).code == 0
    assert wideopen("render", "tiny.png", "-o", "r.png", *network).code == 0
    assert load("r.png").shape == (size[1], size[0], 3)


def test_grey_photo_stays_grey(wideopen):
    Image.fromarray(portrait()).convert("L").save("grey.png")
    assert wideopen("render", "grey.png", *MAPS).code == 0
    image = load("result.png")
    assert (image[..., 0] == image[..., 1]).all()
    assert (image[..., 1] == image[..., 2]).all()
    assert (image[INSIDE] == load("grey.png")[INSIDE]).all()


def test_palette_photo_is_the_same_photo(wideopen):
    Image.fromarray(portrait()).quantize(256).save("palette.png")
    assert wideopen("render", "palette.png", *MAPS).code == 0
    assert (load("result.png")[INSIDE] == load("palette.png")[INSIDE]).all()


def test_cmyk_photo_is_converted_and_said(wideopen):
    Image.fromarray(portrait()).convert("CMYK").save("cmyk.jpg", quality=95)
    done = wideopen("render", "cmyk.jpg", *MAPS)
    assert done.code == 0
    assert [note for note in done.report["notes"] if "CMYK" in note]
    gap = load("result.png")[INSIDE].astype(int) - portrait()[INSIDE]
    assert np.abs(gap).mean() < 8


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_placed_over_white_with_a_note(wideopen, mode):
    cutout = Image.fromarray(np.dstack([portrait(), np.rint(subject() * 255).astype(np.uint8)]))
    cutout = cutout.quantize(64) if mode == "P" else cutout.convert(mode)
    cutout.save("cutout.png")
    done = wideopen("render", "cutout.png", *MAPS)
    assert done.code == 0
    assert [note for note in done.report["notes"] if "white" in note]
    image = load("result.png")
    assert (image[:3, :3] >= 253).all()
    assert image[INSIDE].mean() < 200


def test_cutout_as_its_own_matte(wideopen):
    Image.fromarray(np.dstack([portrait(), np.rint(subject() * 255).astype(np.uint8)])).save("cutout.png")
    done = wideopen("render", "photo.png", "--matte", "cutout.png", "-o", "r.png", "--save-matte", "m.png")
    assert done.code == 0
    np.testing.assert_allclose(np.asarray(Image.open("m.png")) / 65535, subject(), rtol=0, atol=0.6 / 255)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_stay_16_bits(wideopen, folder, suffix):
    import cv2

    deep = portrait().astype(np.uint16) * 257 + 100
    assert cv2.imwrite(f"deep.{suffix}", deep[..., ::-1])
    assert wideopen("render", f"deep.{suffix}", *MAPS[:6]).code == 0
    kept = cv2.imread(f"deep.bokeh.{suffix}", cv2.IMREAD_UNCHANGED)[..., ::-1]
    assert kept.dtype == np.uint16
    assert np.abs(kept[INSIDE].astype(int) - deep[INSIDE]).max() <= 1


def test_turned_photo_comes_out_upright_with_its_exif(wideopen):
    exif = Image.Exif()
    exif[274], exif[271] = 3, "Maker"
    Image.fromarray(portrait()[::-1, ::-1]).save("turned.jpg", quality=95, exif=exif)
    assert wideopen("render", "turned.jpg", *MAPS[:-3], "-o", "r.jpg").code == 0
    with Image.open("r.jpg") as result:
        assert result.getexif().get(274, 1) == 1
        assert result.getexif()[271] == "Maker"
    assert np.abs(load("r.jpg")[INSIDE].astype(int) - portrait()[INSIDE]).mean() < 8


def test_wide_gamut_profile_is_kept(wideopen, folder):
    from wideopen.color import DISPLAY_P3
    from wideopen.files.containers.icc import build_profile

    profile = build_profile(DISPLAY_P3)
    Image.fromarray(portrait()).save("p3.png", icc_profile=profile)
    assert wideopen("render", "p3.png", *MAPS).code == 0
    with Image.open("result.png") as result:
        assert result.info["icc_profile"] == profile
        assert (np.asarray(result)[INSIDE] == portrait()[INSIDE]).all()


@pytest.mark.parametrize("name", ["photo.webp", "photo.heic", "photo.avif", "photo.tif", "photo.v2.jpg", "IMG.JPEG"])
def test_format_in_is_format_out(wideopen, name):
    assert wideopen("render", "photo.png", *MAPS[:4], "-o", name, "--overwrite").code == 0
    done = wideopen("render", name, *MAPS[:4], "--json")
    assert done.code == 0
    stem, _, suffix = name.rpartition(".")
    assert done.report["out"] == f"{stem}.bokeh.{suffix}"
    assert done.report["size"] == [WIDTH, HEIGHT]


def test_the_format_is_recognised_by_content_not_by_name(wideopen, folder):
    (folder / "photo.jpg").rename("really_a_jpeg.png")
    assert wideopen("render", "really_a_jpeg.png", *MAPS).code == 0


def test_names_with_spaces_and_umlauts_are_kept(wideopen, folder):
    (folder / "photo.png").rename("Mäx & Söhne  1.png")
    done = wideopen("render", "Mäx & Söhne  1.png", "--matte", "matte.png")
    assert done.out.startswith("Mäx & Söhne  1.bokeh.png  ")
    assert (folder / "Mäx & Söhne  1.bokeh.png").is_file()
