"""Every option of `wideopen render` does what its help says."""

import json

import numpy as np
import pytest
from PIL import Image
from small_portrait import HEIGHT, WIDTH, load, nearness, portrait, save_grey, subject

from wideopen import read
from wideopen.files import srgb_u8

INSIDE, OUTSIDE = subject() == 1, subject() == 0


def most(a, b, where=None):
    """Return the largest difference of two pictures, in codes."""
    gap = np.abs(a.astype(int) - b.astype(int))
    return int(gap.max() if where is None else gap[where].max())


def test_default_keeps_the_subject_and_blurs_the_rest(rendered):
    image, report = rendered("--blur", "8px")
    photo = portrait()
    assert most(image, photo, INSIDE) == 0
    assert image[OUTSIDE].std() < 0.5 * photo[OUTSIDE].std()
    assert image.shape == photo.shape
    assert report["radius_px"] == 8


def test_json_is_one_line_with_sources_backend_sizes_and_seconds(rendered):
    _, report = rendered()
    assert report["photo"] == "photo.png"
    assert report["out"] == "result.png"
    assert (report["matte"], report["disparity"]) == ("matte.png", "disparity.png")
    assert report["size"] == [WIDTH, HEIGHT]
    assert report["backend"] in ("numba", "reference")
    assert set(report["seconds"]) >= {"read", "disparity", "sheets", "render", "write", "total"}
    assert report["seconds"]["total"] >= report["seconds"]["render"] > 0
    assert report["notes"] == []


def test_without_json_one_readable_line(wideopen):
    done = wideopen("render", "photo.png", "--matte", "matte.png", "--disparity", "disparity.png")
    assert (done.code, done.err) == (0, [])
    assert done.out.startswith("photo.bokeh.png  96 x 64, matte matte.png, disparity disparity.png, ")
    assert done.out.count("\n") == 1


@pytest.mark.parametrize("look", ["thin-lens", "paper"])
def test_no_blur_is_the_photo(rendered, look):
    image, _ = rendered("--blur", "0px", "--look", look)
    assert most(image, portrait()) <= 1


def test_looks_differ_and_both_keep_the_subject(rendered):
    thin, report = rendered()
    paper, paper_report = rendered("--look", "paper")
    assert (report["look"], paper_report["look"]) == ("thin-lens", "paper")
    assert most(thin, paper) > 10
    assert most(paper, portrait(), INSIDE) == 0


def test_blur_in_pixels_is_blur_in_percent_of_the_long_side(rendered):
    pixels, report = rendered("--blur", "6px")
    percent, same = rendered("--blur", "6.25%")
    assert report["radius_px"] == same["radius_px"] == 6
    assert most(pixels, percent) == 0


def test_default_blur_is_a_share_of_the_long_side(rendered):
    assert rendered()[1]["radius_px"] == pytest.approx(0.024 * WIDTH, abs=0.01)


def test_focus_on_the_subject_is_the_default(rendered):
    image, report = rendered()
    assert report["focus_disparity"] == pytest.approx(0.8, abs=0.01)
    assert most(image, rendered("--focus", "subject")[0]) == 0


def test_focus_on_a_point_takes_the_disparity_there(rendered):
    _, report = rendered("--focus", "90.5,3", "--no-filter-disparity")
    assert report["focus_disparity"] == pytest.approx(nearness()[3, 90], abs=1e-4)
    assert report["focus_range"] == 0


def test_focus_on_a_disparity_brings_the_background_back(rendered):
    photo = portrait()
    far = np.zeros((HEIGHT, WIDTH), bool)
    far[:, :8] = True
    on_subject, _ = rendered("--blur", "8px")
    on_far, report = rendered("--blur", "8px", "--focus", "d=0")
    assert report["focus_disparity"] == 0
    assert most(on_far, photo, far) < 40 < most(on_subject, photo, far)


def test_focus_point_is_in_displayed_orientation(rendered):
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(portrait())))  # stored on its side
    exif = Image.Exif()
    exif[274] = 6  # to be shown turned clockwise
    turned.save("turned.png", exif=exif)
    image, report = rendered("--focus", "90,3", "--no-filter-disparity", photo="turned.png")
    assert report["size"] == [WIDTH, HEIGHT]
    assert report["focus_disparity"] == pytest.approx(nearness()[3, 90], abs=1e-4)
    assert image.shape == (HEIGHT, WIDTH, 3)


def test_focus_range_of_everything_is_the_photo(rendered):
    image, report = rendered("--focus", "d=0.5", "--focus-range", "1")
    assert report["focus_range"] == 1
    assert most(image, portrait()) <= 1


def test_few_planes_render_another_picture_than_many(rendered):
    assert most(rendered("--planes", "2")[0], rendered("--planes", "64")[0]) > 3


def test_aperture_shapes_the_lights(rendered):
    disk, triangle = rendered("--blur", "8px")[0], rendered("--blur", "8px", "--aperture", "polygon:3")[0]
    turned = rendered("--blur", "8px", "--aperture", "polygon:3@60")[0]
    full_turn = rendered("--blur", "8px", "--aperture", "polygon:3@120")[0]
    assert min(most(disk, triangle), most(triangle, turned)) > 8
    assert most(triangle, full_turn) <= 1


def test_bulging_sides_lie_between_polygon_and_disk(rendered):
    disk, triangle = rendered("--blur", "8px")[0], rendered("--blur", "8px", "--aperture", "polygon:3")[0]
    round_triangle = rendered("--blur", "8px", "--aperture", "polygon:3~1")[0]
    bulging = rendered("--blur", "8px", "--aperture", "polygon:3~0.5")[0]
    assert most(round_triangle, disk) <= 1
    assert min(most(bulging, triangle), most(bulging, disk)) > 4


def test_cat_eye_changes_the_corners(rendered):
    without, cut = (rendered("--blur", "8px", "--backend", "reference", *c)[0] for c in ((), ("--cat-eye", "1")))
    assert most(without, cut) > 8


def test_grain_is_that_of_the_photo_unless_another_is_asked_for(rendered):
    grainy = np.asarray(Image.fromarray(portrait()).resize((8 * WIDTH, 8 * HEIGHT)), np.float64)
    grainy = grainy + np.random.default_rng(0).normal(0, 6, grainy.shape)
    Image.fromarray(np.clip(grainy, 1, 254).astype(np.uint8)).save("grainy.png")
    off, none = rendered("--blur", "8px", "--grain", "off", photo="grainy.png")
    auto, found = rendered("--blur", "8px", photo="grainy.png")
    own, set_ = rendered("--blur", "8px", "--grain", "2.5", photo="grainy.png")
    assert (none["grain"], set_["grain"]) == (0, 2.5)
    assert found["grain"] == pytest.approx(6, rel=0.25)  # 7.2: the small portrait is texture all over
    assert most(auto, off) > most(own, off) > 4


def test_a_clean_photo_gets_no_grain(rendered):
    auto, report = rendered("--blur", "8px")
    assert report["grain"] == 0
    assert most(auto, rendered("--blur", "8px", "--grain", "off")[0]) == 0


def test_highlights_make_lights_brighter(rendered):
    without, strong = rendered("--highlights", "0")[0], rendered("--highlights", "4")[0]
    assert strong[OUTSIDE].mean() > without[OUTSIDE].mean() + 1


@pytest.mark.parametrize("bits", [8, 16])
def test_mattes_of_8_and_16_bits_are_read(rendered, bits):
    want, _ = rendered()
    save_grey("other.png", subject(), bits)
    image, report = rendered(matte="other.png")
    assert report["matte"] == "other.png"
    assert most(image, want) <= (0 if bits == 16 else 3)


@pytest.mark.parametrize("name", ["d8.png", "d16.png", "d16.tif", "d8.tiff", "d.npy"])
def test_disparity_files_of_every_kind_are_read(rendered, name):
    want, _ = rendered()
    if name == "d.npy":
        np.save(name, nearness())
    else:
        save_grey(name, nearness(), 8 if "8" in name else 16)
    image, report = rendered(disparity=name)
    assert report["disparity"] == name
    assert report["focus_disparity"] == pytest.approx(0.8, abs=0.005)
    assert np.abs(image.astype(int) - want).mean() < 1


def test_maps_of_another_resolution_are_resized(rendered):
    want, _ = rendered("--blur", "6px")
    for name in ("matte", "disparity"):
        grey = Image.open(f"{name}.png")
        grey.resize((2 * WIDTH, 2 * HEIGHT), Image.Resampling.BILINEAR).save(f"large_{name}.png")
    image, report = rendered("--blur", "6px", matte="large_matte.png", disparity="large_disparity.png")
    assert report["size"] == [WIDTH, HEIGHT]
    assert np.abs(image.astype(int) - want).mean() < 3


def test_depth_in_metres_is_inverted(rendered):
    depth = np.linspace(1, 5, WIDTH, dtype=np.float32)[None].repeat(HEIGHT, axis=0)  # near on the left
    np.save("depth.npy", depth)
    options = ("--depth-m", "depth.npy", "--no-filter-disparity", "--save-disparity", "used.npy")
    _, report = rendered(*options, disparity=None)
    used = np.load("used.npy")
    assert report["disparity"] == "depth.npy"
    assert (used[0, 0], used[0, -1]) == (1, 0)
    assert used[0, WIDTH // 2] == pytest.approx((1 / depth[0, WIDTH // 2] - 1 / 5) / (1 - 1 / 5), abs=0.02)


def test_disparity_is_filtered_along_the_matte_by_default(rendered):
    _, filtered = rendered("--save-disparity", "filtered.npy")
    _, plain = rendered("--save-disparity", "plain.npy", "--no-filter-disparity")
    assert (filtered["filtered"], plain["filtered"]) == (True, False)
    np.testing.assert_allclose(np.load("plain.npy"), nearness(), rtol=0, atol=1 / 65535)
    assert np.abs(np.load("filtered.npy") - nearness()).max() > 0.01


def test_without_a_disparity_the_network_inside_the_package_predicts_one(wideopen):
    done = wideopen("render", "photo.png", "--matte", "matte.png", "--json", "--save-disparity", "d.npy")
    assert done.code == 0
    assert done.report["disparity"] == "predicted by small"
    assert done.report["notes"] == []
    disparity = np.load("d.npy")
    assert disparity.shape == subject().shape
    assert 0 <= disparity.min() < disparity.max() <= 1


@pytest.mark.parametrize(("name", "step"), [("m.png", 65535), ("m.tif", 65535), ("m.npy", 1e6)])
def test_saved_maps_give_the_same_picture_again(rendered, name, step):
    first, _ = rendered("--save-matte", name, "--save-disparity", f"d{name}")
    again, _ = rendered("--no-filter-disparity", matte=name if name != "m.npy" else "matte.png", disparity=f"d{name}")
    assert most(first, again) <= 1
    if name == "m.npy":
        np.testing.assert_allclose(np.load(name), subject(), rtol=0, atol=1 / 65535 + 1 / step)
    else:
        kept = np.asarray(Image.open(name))
        assert kept.dtype == np.uint16
        np.testing.assert_allclose(kept / 65535, subject(), rtol=0, atol=2 / step)


def test_backends_agree(rendered):
    reference, report = rendered("--backend", "reference")
    fast, fast_report = rendered("--backend", "numba")
    assert (report["backend"], fast_report["backend"]) == ("reference", "numba")
    assert most(reference, fast) <= 1


@pytest.mark.parametrize("look", ["thin-lens", "paper"])
def test_same_command_same_bytes(rendered, look):
    rendered("--look", look, out="one.png")
    rendered("--look", look, out="two.png")
    with open("one.png", "rb") as one, open("two.png", "rb") as two:  # noqa: PTH123
        assert one.read() == two.read()


def test_output_quality_sets_the_size_of_a_jpeg(rendered, folder):
    rendered("--output-quality", "20", out="low.jpg")
    rendered("--output-quality", "98", out="high.jpg")
    rendered(out="default.jpg")
    low, default, high = ((folder / f"{name}.jpg").stat().st_size for name in ("low", "default", "high"))
    assert low < 0.7 * default < default < high


@pytest.mark.parametrize("name", ["r.jpg", "r.jpeg", "r.png", "r.tif", "r.tiff", "r.webp", "r.heic", "r.avif"])
def test_results_are_written_in_every_format(rendered, folder, name):
    want, _ = rendered("--blur", "8px")
    rendered("--blur", "8px", "-o", name)
    codes = srgb_u8(read(folder / name))
    assert codes.shape == want.shape
    assert np.abs(codes.astype(int) - want).mean() < 8  # HEIC halves the resolution of colour; 6 is the worst seen


def test_a_network_predicts_the_matte(rendered, untrained):
    _, report = rendered("--matting", untrained, "--device", "cpu", "--save-matte", "m.png", matte=None)
    assert report["matte"] == f"predicted by {untrained}"
    assert report["seconds"]["matte"] > 0
    assert np.asarray(Image.open("m.png")).shape == (HEIGHT, WIDTH)


def test_an_empty_matte_blurs_by_disparity_with_a_note(wideopen):
    save_grey("empty.png", np.zeros((HEIGHT, WIDTH)))
    options = ("--matte", "empty.png", "--disparity", "disparity.png", "--blur", "8px", "--focus", "d=0", "--json")
    done = wideopen("render", "photo.png", *options)
    assert done.code == 0
    assert [note for note in done.report["notes"] if "no subject" in note]
    image, photo = load("photo.bokeh.png"), portrait()
    assert most(image, photo, INSIDE) > 20  # at disparity 0.8, far from the focus
    assert most(image[:, :4], photo[:, :4]) < 40


def test_a_matte_of_the_whole_photo_is_noted(wideopen):
    save_grey("full.png", np.ones((HEIGHT, WIDTH)))
    done = wideopen("render", "photo.png", "--matte", "full.png", "--disparity", "disparity.png", "--json")
    assert done.code == 0
    assert [note for note in done.report["notes"] if "covers the whole photo" in note]
    image, photo = load("photo.bokeh.png"), portrait()
    assert most(image[:, :8], photo[:, :8]) > 20  # the background lies far from the focus, and is blurred


def test_constant_disparity_changes_nothing_and_is_noted(wideopen):
    np.save("flat.npy", np.full((HEIGHT, WIDTH), 0.4, np.float32))
    done = wideopen("render", "photo.png", "--matte", "matte.png", "--disparity", "flat.npy", "--json")
    assert done.code == 0
    assert [note for note in done.report["notes"] if "constant" in note]
    assert most(load("photo.bokeh.png"), portrait()) <= 1


def test_typed_options_override_a_preset(rendered, folder):
    preset = {"wideopen_preset": 1, "lens": {"look": "paper", "blur": "5px", "grain": "off"}}
    (folder / "mine.json").write_text(json.dumps(preset))
    codes, report = rendered("--preset", "mine.json")
    assert (report["look"], report["radius_px"], report["grain"]) == ("paper", 5, 0)
    typed, _ = rendered("--look", "paper", "--blur", "5px", "--grain", "off")
    assert (codes == typed).all()
    _, report = rendered("--preset", "mine.json", "--blur", "2.4%", "--look", "thin-lens")  # the defaults, but typed
    assert (report["look"], report["radius_px"], report["grain"]) == ("thin-lens", 2.3, 0)
