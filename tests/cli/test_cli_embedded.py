"""Depth and mattes inside photos on the command line: info PHOTO, extract, and their use by render."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose
from small_portrait import HEIGHT, WIDTH, load, nearness, portrait, size_of, subject

from embedded_files import DEPTH_URN, GAIN_URN, PORTRAIT_URN, URN, apple_xmp, disparity_xmp, gdepth, heic, jpeg, png
from hdr_files import hdrgm, ultra_hdr

NEAR = np.rint(cv2.resize(nearness(), (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA) * 255).astype(np.uint8)
MATTE = np.rint(cv2.resize(subject(), (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA) * 255).astype(np.uint8)
NEAR[:, 0] = 0  # infinitely far
DEPTH = (NEAR, DEPTH_URN, disparity_xmp(0, 2))
PORTRAIT = (MATTE, PORTRAIT_URN, None)


def phone_photo(*auxiliary, name="phone.heic", **options):
    Path(name).write_bytes(heic(portrait(), auxiliary, **options))
    return name


@pytest.fixture
def phone(folder):
    """A HEIC with depth, portrait and hair matte, and a gain map."""
    return phone_photo(DEPTH, PORTRAIT, (MATTE, URN.format("hair"), None), (NEAR, GAIN_URN, None))


def test_info_tells_what_a_photo_holds(wideopen, phone):
    done = wideopen("info", phone)
    assert (done.code, done.err) == (0, [])
    size = f"{WIDTH // 2} x {HEIGHT // 2}"
    assert done.out.splitlines() == [
        "phone.heic",
        f"  picture   HEIC, {WIDTH} x {HEIGHT} as displayed, 8 bits, orientation not named, profile none",
        f"  depth     HEIC auxiliary disparity, {size}, disparity 0 to 1.6 1/m, accuracy relative",
        f"  matte     portrait, {size}, covers 21%",
        f"  matte     hair, {size}, covers 21%",
        "  also      HEIC auxiliary picture: a gain map for HDR",
    ]


def test_info_names_a_gain_map_that_is_used_once(wideopen, folder):
    codes = np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8)
    codes[:4] = 255
    Path("night.jpg").write_bytes(ultra_hdr(Path("photo.jpg").read_bytes(), codes, hdrgm()))
    lines = wideopen("info", "night.jpg").out.splitlines()
    assert lines[2].startswith("  light     HDR (Ultra HDR), up to")
    assert not any("gain map" in line for line in lines)


def test_info_prints_json(wideopen, phone):
    found = json.loads(wideopen("info", phone, "--json").out)
    assert found["size"] == [WIDTH, HEIGHT]
    assert found["depth"]["kind"] == "disparity"
    assert found["depth"]["size"] == [WIDTH // 2, HEIGHT // 2]
    assert found["depth"]["range"] == [0, pytest.approx(1.6, abs=0.01)]
    assert list(found["mattes"]) == ["portrait", "hair"]


def test_info_of_a_plain_photo_has_no_depth(wideopen):
    found = json.loads(wideopen("info", "photo.png", "--json").out)
    assert (found["format"], found["size"], found["bit_depth"]) == ("PNG", [WIDTH, HEIGHT], 8)
    assert (found["depth"], found["mattes"], found["ignored"]) == (None, {}, [])


def test_info_tells_orientation_profile_and_depth_of_bits(wideopen):
    from PIL import Image

    from wideopen.color import DISPLAY_P3
    from wideopen.files.containers.icc import build_profile

    exif = Image.Exif()
    exif[274] = 6
    exif.get_ifd(0x8769)[0xA401] = 8  # as iPhones mark portraits
    Image.fromarray(portrait()).save("turned.jpg", exif=exif, icc_profile=build_profile(DISPLAY_P3))
    lines = wideopen("info", "turned.jpg").out.splitlines()
    assert f"{HEIGHT} x {WIDTH} as displayed, 8 bits, orientation 6, profile Display P3" in lines[1]
    assert lines[2] == "  taken in  portrait mode: the phone may have blurred the background already"
    assert lines[3] == "  depth     none"
    assert cv2.imwrite("deep.tif", portrait().astype(np.uint16))
    assert "TIFF" in wideopen("info", "deep.tif").out
    assert json.loads(wideopen("info", "deep.tif", "--json").out)["bit_depth"] == 16


def test_a_photo_that_the_phone_may_have_blurred_is_rendered_with_a_note(wideopen):
    from PIL import Image

    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA401] = 8
    Image.fromarray(portrait()).save("phone.jpg", exif=exif)
    maps = ("--matte", "matte.png", "--disparity", "disparity.png", "--json")
    notes = {name: wideopen("render", name, *maps).report["notes"] for name in ("phone.jpg", "photo.jpg")}
    assert any(note.startswith("taken in portrait mode") for note in notes["phone.jpg"])
    assert not any("portrait mode" in note for note in notes["photo.jpg"])


@pytest.mark.parametrize("command", [("info",), ("extract", "-d", "parts")])
def test_no_photo_is_refused(refused, folder, command):
    (folder / "text.jpg").write_text("hello")
    (folder / "cut.heic").write_bytes(heic(portrait(), [DEPTH])[:900])
    for name in ("text.jpg", "cut.heic", "missing.jpg"):
        assert refused(*command, name).startswith(name)


def test_json_without_a_photo_is_refused(refused):
    assert refused("info", "--json") == "--json: expected a photo, found none"


def test_extract_writes_what_the_other_commands_read(wideopen, phone):
    done = wideopen("extract", phone, "-d", "parts")
    names = ["disparity.png", "matte.png", "hair.png", "depth_m.npy"]
    assert done.out.splitlines() == [f"parts/phone.{name}" for name in names]
    assert done.err == ["note: HEIC auxiliary disparity: the phone marks its metres as relative, not exact"]
    assert size_of("parts/phone.disparity.png") == (WIDTH // 2, HEIGHT // 2)
    disparity = cv2.imread("parts/phone.disparity.png", cv2.IMREAD_UNCHANGED) / 65535
    assert disparity.max() == 1
    assert disparity[HEIGHT // 4, WIDTH // 4] > 0.99  # the subject is nearest
    assert_allclose(np.corrcoef(disparity.ravel(), NEAR.ravel())[0, 1], 1, rtol=0, atol=1e-3)
    metres = np.load("parts/phone.depth_m.npy")
    assert metres.dtype == np.float32
    with np.errstate(divide="ignore"):
        assert_allclose(metres, 255 / (NEAR * 2.0), rtol=1e-5, atol=0)  # infinite where disparity is 0
    assert_allclose(cv2.imread("parts/phone.matte.png", cv2.IMREAD_UNCHANGED) / 65535, MATTE / 255, rtol=0, atol=1e-4)
    maps = ("--matte", "parts/phone.matte.png", "--disparity", "parts/phone.disparity.png")
    assert wideopen("render", phone, *maps, "-o", "a.png").code == 0
    assert wideopen("render", phone, "--depth-m", "parts/phone.depth_m.npy", "-o", "b.png", *maps[:2]).code == 0


def test_extract_replaces_files_only_with_overwrite(wideopen, refused, folder, phone):
    (folder / "parts").mkdir()
    (folder / "parts" / "phone.hair.png").write_bytes(b"mine")
    assert "phone.hair.png: exists already; choose another name, or overwrite it (--overwrite)" in refused(
        "extract", phone, "-d", "parts"
    )
    assert wideopen("extract", phone, "-d", "parts", "--overwrite").code == 0
    assert size_of("parts/phone.hair.png") == (WIDTH // 2, HEIGHT // 2)


def test_extract_refuses_a_folder_that_is_a_file(refused, folder, phone):
    (folder / "file").write_bytes(b"")
    assert "file" in refused("extract", phone, "-d", "file")


def test_extract_without_a_unit_writes_no_metres(wideopen, folder):
    (folder / "lens.jpg").write_bytes(gdepth(png(255 - NEAR), main=jpeg(portrait()), Units=None))
    done = wideopen("extract", "lens.jpg", "-d", "parts")
    assert done.out.splitlines() == ["parts/lens.disparity.png"]
    assert done.err == ["note: GDepth has no unit, so no depth in metres is written"]


def test_extract_refuses_a_photo_without_parts(refused, folder):
    assert refused("extract", "photo.png", "-d", "parts") == (
        "photo.png: expected depth or mattes inside the file, found none"
    )
    assert not (folder / "parts").exists()
    phone_photo((NEAR, DEPTH_URN, disparity_xmp(3, 1)))
    line = refused("extract", "phone.heic", "-d", "parts")
    assert "found none (HEIC auxiliary picture 2: expected a range of values, found 3 to 1)" in line


def test_render_uses_depth_and_matte_inside_the_photo(wideopen, phone):
    options = ("--json", "--save-matte", "m.npy", "--save-disparity", "d.npy", "--no-filter-disparity")
    done = wideopen("render", phone, "-o", "r.png", *options)
    assert (done.code, done.err) == (0, [])
    assert done.report["matte"] == "embedded portrait matte"
    assert done.report["disparity"] == "embedded: HEIC auxiliary disparity"
    assert np.abs(np.load("m.npy") - subject()).mean() < 0.01
    d = np.load("d.npy")
    assert d.shape == (HEIGHT, WIDTH)
    assert d[subject() == 1].mean() > d[subject() == 0].mean() + 0.4
    assert load("r.png").shape == (HEIGHT, WIDTH, 3)


def test_a_given_matte_or_network_wins(wideopen, phone, untrained):
    done = wideopen("render", phone, "-o", "r.png", "--matte", "matte.png", "--json")
    assert done.report["matte"] == "matte.png"
    done = wideopen("render", phone, "-o", "r.png", "--matting", untrained, "--json", "--overwrite")
    assert done.report["matte"] == f"predicted by {untrained}"


@pytest.mark.parametrize("command", ["matte", "depth"])
def test_matte_and_depth_use_it_too(wideopen, phone, command):
    assert wideopen(command, phone, "-o", "map.npy").code == 0
    assert wideopen("render", phone, "--save-matte", "m.npy", "--save-disparity", "d.npy").code == 0
    assert_allclose(np.load("map.npy"), np.load("m.npy" if command == "matte" else "d.npy"), rtol=0, atol=1e-6)


@pytest.mark.parametrize("command", [("render", "-o", "r.png"), ("matte", "-o", "m.png"), ("depth", "-o", "d.png")])
def test_matting_embedded_is_refused_without_a_matte_inside(refused, command):
    phone_photo(DEPTH)
    line = refused(*command, "phone.heic", "--matting", "embedded")
    assert line == "phone.heic: expected a portrait matte inside the photo's file (--matting embedded), found none"


def test_depth_embedded_tells_why_it_is_refused(refused):
    phone_photo((NEAR[:, :-9], DEPTH_URN, disparity_xmp()))
    line = refused("render", "phone.heic", "--matte", "matte.png", "--depth", "embedded", "-o", "r.png")
    assert "found none (HEIC auxiliary disparity: expected the aspect of the photo" in line


def test_unusable_maps_are_noted(wideopen):
    phone_photo((NEAR[:, :-9], DEPTH_URN, disparity_xmp()), PORTRAIT)
    done = wideopen("render", "phone.heic", "-o", "r.png", "--offline", "--json")
    assert done.code == 0
    assert done.report["matte"] == "embedded portrait matte"
    assert [n for n in done.report["notes"] if n.startswith("ignored inside the photo: HEIC auxiliary disparity")]


def test_an_empty_portrait_matte_is_skipped_with_a_note(wideopen):
    phone_photo((MATTE // 8, PORTRAIT_URN, None))
    done = wideopen("render", "phone.heic", "-o", "r.png", "--offline", "--json")
    assert done.report["matte"] == "predicted by mobile"
    assert "the embedded portrait matte is empty; mobile predicts one" in done.report["notes"]


def test_a_turned_photo_and_its_parts_stay_together(wideopen):
    phone_photo(DEPTH, PORTRAIT, turns=1)
    done = wideopen("render", "phone.heic", "-o", "r.png", "--save-matte", "m.npy", "--json")
    assert (done.code, done.report["size"]) == (0, [HEIGHT, WIDTH])
    assert np.abs(np.load("m.npy") - np.rot90(subject())).mean() < 0.01


def test_apples_xmp_is_not_needed_for_a_matte(wideopen):
    phone_photo((MATTE, PORTRAIT_URN, apple_xmp(AuxiliaryImageType=PORTRAIT_URN)))
    assert json.loads(wideopen("info", "phone.heic", "--json").out)["mattes"].keys() == {"portrait"}
