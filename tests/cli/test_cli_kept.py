"""--keep-depth: refocusing a result equals rendering the original with the same maps."""

import os
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from small_portrait import HEIGHT, WIDTH, load, nearness, save_grey

from wideopen.errors import InvalidInput
from wideopen.files import Keep, read, read_kept, srgb_u8, write
from wideopen.files.containers import jpeg, xmp
from wideopen.session.open_photo import read_with_kept

AGAIN = ("--focus", "d=0.3", "--blur", "5px", "--grain", "off")
SOURCE = "kept with the photo"
FORMATS = pytest.mark.parametrize("name", ["kept.jpg", "kept.png", "kept.tif", "kept.heic"])


@pytest.fixture
def keep(wideopen):
    """Render photo.jpg or another one with its maps kept in, or beside, `name`."""

    def run(name, *options, photo="photo.jpg"):
        maps = ("--matte", "matte.png", "--disparity", "disparity.png")
        done = wideopen("render", photo, "-o", name, "--keep-depth", *maps, *options)
        assert (done.code, done.err) == (0, [])
        return name

    return run


@FORMATS
def test_focusing_a_kept_result_again_equals_rendering_the_original(keep, wideopen, name):
    keep(name, "--save-matte", "m.png", "--save-disparity", "d.png")
    again = wideopen("render", name, "-o", "again.png", "--json", *AGAIN)
    assert again.code == 0
    assert (again.report["matte"], again.report["disparity"], again.report["filtered"]) == (SOURCE, SOURCE, False)
    assert again.report["notes"][-1] == "rendered from the original, photo.jpg"
    direct = ("--matte", "m.png", "--disparity", "d.png", "--no-filter-disparity")
    assert wideopen("render", "photo.jpg", "-o", "direct.png", *direct, *AGAIN).code == 0
    assert_array_equal(load("again.png"), load("direct.png"))
    assert np.abs(load("again.png").astype(int) - srgb_u8(read(name))).max() > 20  # the focus is another one


@FORMATS
def test_without_the_original_the_result_itself_is_rendered_with_a_note(keep, wideopen, folder, name):
    keep(name)
    (folder / "photo.jpg").rename(folder / "elsewhere.jpg")
    again = wideopen("render", name, "-o", "again.png", "--json", *AGAIN)
    assert again.report["matte"] == SOURCE
    blurred = "rendered from the result itself, which is blurred already"
    assert again.report["notes"][-1] == f"the original photo.jpg was not found: {blurred}"
    Image.fromarray(load("elsewhere.jpg")).save(folder / "photo.jpg", quality=30)
    changed = wideopen("render", name, "-o", "again.png", "--json", "--overwrite", *AGAIN)
    assert changed.report["notes"][-1] == f"the original photo.jpg has changed since: {blurred}"


def test_the_original_is_found_in_another_folder_and_beside_a_moved_result(keep, wideopen, folder):
    (folder / "results").mkdir()
    (folder / "results" / "Grüße & 'x'").mkdir()
    (folder / "photo.jpg").rename(folder / 'my "photo" ü.jpg')
    keep("results/Grüße & 'x'/kept.jpg", photo='my "photo" ü.jpg')
    again = wideopen("render", "results/Grüße & 'x'/kept.jpg", "-o", "again.png", "--json")
    assert again.report["notes"][-1].startswith("rendered from the original, ")
    (folder / "results" / "Grüße & 'x'" / "kept.jpg").rename(folder / "kept.jpg")
    beside = wideopen("render", "kept.jpg", "-o", "again.png", "--json", "--overwrite")
    assert beside.report["notes"][-1] == 'rendered from the original, my "photo" ü.jpg'


@FORMATS
@pytest.mark.parametrize("command", ["matte", "depth"])
def test_matte_and_depth_write_the_maps_that_render_uses(keep, wideopen, name, command):
    keep(name)
    assert wideopen("render", name, "-o", "r.png", "--save-matte", "m.npy", "--save-disparity", "d.npy").code == 0
    done = wideopen(command, name, "-o", "map.npy")
    assert done.code == 0
    assert_array_equal(np.load("map.npy"), np.load("m.npy" if command == "matte" else "d.npy"))
    assert done.err == ["note: rendered from the original, photo.jpg"]


def test_maps_on_the_command_line_override_kept_maps(keep, wideopen):
    keep("kept.jpg")
    save_grey("other.png", 1 - nearness())
    done = wideopen("render", "kept.jpg", "-o", "again.png", "--json", "--disparity", "other.png")
    assert (done.report["matte"], done.report["disparity"], done.report["filtered"]) == (SOURCE, "other.png", True)
    done = wideopen("render", "kept.jpg", "-o", "b.png", "--json", "--depth", "planar", "--matte", "matte.png")
    assert (done.report["matte"], done.report["disparity"]) == ("matte.png", "planar")


def test_a_result_of_a_kept_result_keeps_the_first_original(keep, wideopen, folder):
    keep("kept.jpg")
    assert wideopen("render", "kept.jpg", "-o", "second.jpg", "--keep-depth", *AGAIN).code == 0
    (folder / "kept.jpg").unlink()
    third = wideopen("render", "second.jpg", "-o", "third.png", "--json")
    assert third.report["notes"][-1] == "rendered from the original, photo.jpg"


def test_the_maps_are_kept_to_16_bits_and_nothing_else_of_the_photo_is_lost(keep, folder):
    keep("kept.jpg", "--no-filter-disparity")
    kept = read_kept(folder / "kept.jpg")
    assert kept.photo == folder / "photo.jpg"
    stored = cv2.imread("disparity.png", cv2.IMREAD_UNCHANGED)
    assert_array_equal(np.rint(kept.maps.disparity * 65535), stored)
    assert_array_equal(np.rint(kept.maps.matte * 65535), cv2.imread("matte.png", cv2.IMREAD_UNCHANGED))
    again = read(folder / "kept.jpg")
    assert b"GDepth" not in again.metadata.xmp  # a further result has no depth unless it is asked to keep it
    assert read_kept(folder / "photo.jpg") is None


def test_other_programs_find_the_disparity_as_a_depth_map(keep, folder):
    embedded = pytest.importorskip("wideopen.files.inside")
    keep("kept.jpg", "--no-filter-disparity")
    found = embedded.read_embedded(folder / "kept.jpg")
    assert (found.depth.kind, found.ignored) == ("relative_disparity", ())
    lines = np.polyfit(nearness().ravel(), found.depth.values.ravel(), 1)
    assert lines[0] > 0
    assert_allclose(found.depth.values, np.polyval(lines, nearness()), rtol=0, atol=1e-4 * lines[0])


def test_damaged_maps_are_ignored_with_a_note(keep, wideopen, folder, untrained):
    keep("kept.jpg")
    data = bytearray((folder / "kept.jpg").read_bytes())
    data[data.index(b"wideopen:Matte") + 400] ^= 1
    (folder / "kept.jpg").write_bytes(data)
    done = wideopen("render", "kept.jpg", "-o", "a.png", "--json", "--matting", untrained)
    assert done.report["matte"] != SOURCE
    assert "kept with the photo are damaged (wrong checksum in IDAT)" in " ".join(done.report["notes"])
    keep("kept.png")
    (folder / "kept.png.depth.tif").write_bytes((folder / "kept.png.depth.tif").read_bytes()[:300])
    done = wideopen("render", "kept.png", "-o", "b.png", "--json", "--matting", untrained)
    assert done.report["matte"] != SOURCE
    assert "kept with the photo are damaged" in " ".join(done.report["notes"])


def test_maps_of_another_size_are_not_used(keep, wideopen, folder):
    keep("kept.jpg")
    (folder / "photo.jpg").unlink()
    data = (folder / "kept.jpg").read_bytes()
    extended = b"".join(
        b"\xff\xe1" + (len(found.payload) + 2).to_bytes(2, "big") + found.payload
        for found in jpeg.segments(data)
        if found.marker == 0xE1
    )
    Image.fromarray(load("kept.jpg")[: HEIGHT // 2]).save("kept.jpg", extra=extended)  # cropped by another program
    done = wideopen("render", "kept.jpg", "-o", "a.png", "--json", "--matte", "matte.png")
    assert done.code == 2  # the matte does not fit either
    kept = read_with_kept(folder / "kept.jpg", read_kept(folder / "kept.jpg"), max_megapixels=1)
    assert kept[1] is None
    assert f"are {WIDTH} x {HEIGHT}, not {WIDTH} x {HEIGHT // 2}: not used" in kept[0].metadata.notes[-1]


def test_maps_beside_a_result_that_was_replaced_are_not_used(keep, wideopen, folder):
    keep("kept.png")
    Image.fromarray(load("photo.png")[:, ::-1]).save("kept.png")
    photo, maps = read_with_kept(folder / "kept.png", read_kept(folder / "kept.png"), max_megapixels=1)
    assert maps is None
    assert photo.source == folder / "kept.png"
    assert photo.metadata.notes == ("kept.png.depth.tif keeps the maps of another file of that name: not used",)


def test_maps_to_keep_must_be_the_result_s(folder):
    photo = read("photo.png")
    small = np.zeros((3, 4), np.float32)
    with pytest.raises(InvalidInput, match=r"matte to keep: expected \(H, W\) \(64, 96\), found \(3, 4\)"):
        write("a.jpg", photo.rgb, like=photo, keep=Keep(matte=small, disparity=small))
    assert not (folder / "a.jpg").exists()


def test_xmp_is_dropped_if_it_leaves_no_room_for_the_maps(folder, caplog):
    photo = read("photo.png")
    long = xmp.with_description(None, {"a": "urn:a/"}, {"a:b": "c" * 65000})
    like = replace(photo, metadata=replace(photo.metadata, xmp=long))
    flat = np.full((HEIGHT, WIDTH), 0.5, np.float32)
    write("a.jpg", photo.rgb, like=like, keep=Keep(matte=flat, disparity=flat))
    assert "left out: with the kept maps" in caplog.text
    assert read_kept(folder / "a.jpg").maps is not None


def test_an_original_whose_name_is_not_utf8_is_found(keep, wideopen, folder):
    name = os.fsdecode(b"p\xff.jpg")
    (folder / "photo.jpg").rename(folder / name)
    keep("kept.jpg", photo=name)
    assert read_kept(folder / "kept.jpg").photo == folder / name


def test_an_existing_sidecar_is_not_replaced(refused, folder):
    (folder / "a.png.depth.tif").write_bytes(b"mine")
    maps = ("--matte", "matte.png", "--disparity", "disparity.png")
    assert "exists already" in refused("render", "photo.png", "-o", "a.png", "--keep-depth", *maps)
    both = ("-o", "a.tif", "--save-matte", "a.tif.depth.tif", "--keep-depth", *maps)
    assert "two that would be written to it" in refused("render", "photo.png", *both)


def test_an_original_is_used_only_with_the_right_digest(keep, wideopen, folder):
    os.mkfifo(folder / "pipe")
    keep("kept.png")
    sidecar = folder / "kept.png.depth.tif"
    for named in (b"pipe     ", b"/dev/zero", b"\\u0000/et", b"../......"):
        data = sidecar.read_bytes()
        at = data.index(b"photo.jpg")
        sidecar.write_bytes(data[:at] + named + data[at + 9 :])
        done = wideopen("render", "kept.png", "-o", "a.png", "--json", "--overwrite")
        assert done.report["matte"] == SOURCE
        assert "blurred already" in done.report["notes"][-1]
        sidecar.write_bytes(data)


@pytest.mark.parametrize(("name", "bits"), [("a.png", 16), ("a.tif", 32), ("a.exr", 32), ("a.jpg", 8), ("a.jxl", 16)])
def test_bits_asked_for_are_written(wideopen, folder, name, bits):
    maps = ("--matte", "matte.png", "--disparity", "disparity.png")
    assert wideopen("render", "photo.png", "-o", name, "--output-bits", bits, *maps).code == 0
    assert read(folder / name).metadata.bit_depth == bits


def test_bits_that_a_format_lacks_are_refused(refused):
    message = refused("render", "photo.png", "-o", "a.jpg", "--output-bits", "16")
    assert message == "a.jpg: expected 8 bits in JPEG, found 16"


def test_a_format_whose_library_is_missing_is_refused_before_any_work(refused, monkeypatch):
    from wideopen import errors

    monkeypatch.setattr(errors, "find_spec", lambda _name: None)
    assert refused("render", "photo.png", "-o", "a.jxl") == (
        "a.jxl: JPEG XL needs OpenImageIO, which is not installed (pip install 'wideopen[jxl]')"
    )
