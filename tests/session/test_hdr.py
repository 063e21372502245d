"""Ultra HDR from file to file, and what the page shows of it."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from embedded_files import jpeg, scene
from hdr_files import hdrgm, ultra_hdr
from wideopen.errors import InvalidInput
from wideopen.files import read, srgb_u8
from wideopen.files.read import read_facts
from wideopen.session.open_photo import Given, Job, open_photo
from wideopen.session.render_file import PAPER_IS_STANDARD, render_file
from wideopen.settings import LensSettings, MapSettings, OutputSettings
from wideopen.studio.preview import render_u8, shrink

SIZE = (96, 128)


@pytest.fixture
def job(tmp_path):
    codes = np.linspace(0, 200, 32).astype(np.uint8)[None].repeat(24, 0)
    (tmp_path / "photo.jpg").write_bytes(ultra_hdr(jpeg(scene(*SIZE)), codes, hdrgm(high=2, most=2)))
    matte, disparity = np.zeros(SIZE, np.uint8), np.full(SIZE, 60, np.uint8)
    matte[30:, 40:90], disparity[30:, 40:90] = 255, 200
    for name, values in (("matte", matte), ("disparity", disparity)):
        Image.fromarray(values).save(tmp_path / f"{name}.png")
    given = Given(matte=tmp_path / "matte.png", disparity=tmp_path / "disparity.png")
    return Job(maps=MapSettings(filter_disparity=False), given=given, lens=LensSettings(grain=0.0))


def result(job, folder, name, **options):
    lens = replace(job.lens, blur=options.pop("blur", "4%"), **options.pop("lens", {}))
    report = render_file(folder / "photo.jpg", folder / name, replace(job, lens=lens, output=OutputSettings(**options)))
    return read(folder / name), report["notes"]


def test_a_round_trip_keeps_gains_and_the_standard_picture(job, tmp_path):
    before = read(tmp_path / "photo.jpg")
    found, notes = result(job, tmp_path, "a.jpg", blur="0px")
    plain, _ = result(job, tmp_path, "b.jpg", blur="0px", hdr="off")
    assert notes == []
    assert_array_equal(found.hdr.standard, srgb_u8(plain))
    gains = [photo.rgb.astype(np.float64) / photo_standard(photo) for photo in (before, found)]
    assert np.abs(gains[1] / gains[0] - 1).mean() < 0.005
    assert read_facts(tmp_path / "a.jpg").hdr == "Ultra HDR"


def photo_standard(photo):
    from wideopen.arrays.transfer import decode

    return np.maximum(decode(photo.hdr.standard, photo.encoding, bit_depth=8), 1e-4)


def test_a_blurred_result_is_ultra_hdr_whose_sharp_part_is_the_photos(job, tmp_path):
    before = read(tmp_path / "photo.jpg")
    found, notes = result(job, tmp_path, "a.jpg")
    assert (found.hdr.kind, found.hdr.headroom, notes) == ("Ultra HDR", 4, [])
    sharp = np.s_[45:90, 50:80]
    assert np.abs(found.hdr.standard[sharp].astype(int) - before.hdr.standard[sharp]).mean() < 0.5
    assert np.abs(found.rgb[sharp] / before.rgb[sharp] - 1).mean() < 0.01


def test_notes_name_what_is_lost(job, tmp_path):
    found, notes = result(job, tmp_path, "a.png")
    assert found.hdr is None
    assert notes[-1].startswith("PNG written without the photo's light above white; JPEG, AVIF")
    found, notes = result(job, tmp_path, "b.jpg", lens={"look": "paper"})
    assert (found.hdr, notes[-1]) == (None, PAPER_IS_STANDARD)
    assert result(job, tmp_path, "c.png", hdr="off")[1] == []
    with pytest.raises(InvalidInput, match=r"d\.webp: expected JPEG, AVIF, OpenEXR and TIFF of 32 bits for HDR"):
        result(job, tmp_path, "d.webp", hdr="keep")


@pytest.mark.parametrize("megapixels", [1.0, 0.004])
def test_the_page_shows_the_standard_picture(job, tmp_path, megapixels):
    opened = open_photo(tmp_path / "photo.jpg", job)
    small = shrink(opened.scene, megapixels)
    assert small.hdr is not None
    shown = render_u8(small, replace(job.lens, blur="0px").lens(small))
    want = np.asarray(Image.fromarray(opened.photo.hdr.standard).resize(shown.shape[1::-1], Image.Resampling.BOX))
    assert np.abs(shown.astype(int) - want).mean() < 3
