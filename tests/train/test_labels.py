"""Labels from a teacher and our network: agreement, confidence, resuming, and what training makes of the confidence."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen.errors import InvalidInput, WeightsError
from wideopen.evals.mattes import read_alpha
from wideopen.matting.inference import PRESETS
from wideopen.train import labels
from wideopen.train.labels import read_table, write_labels
from wideopen.train.matting import shares_of
from wideopen.train.photos import entries_in, load_photos, pack

SIZE = (96, 128)
PERSON, BESIDE = np.s_[20:90, 30:70], np.s_[30:90, 90:120]


def boxes(*where):
    alpha = np.zeros(SIZE, np.float32)
    for one in where:
        alpha[one] = 1
    return alpha


class Network:
    """A network that always sees the same matte, however it is asked."""

    config = PRESETS["mobile"]

    def __init__(self, alpha):
        self.alpha = alpha

    def __call__(self, srgb_u8, *_):
        return cv2.resize(self.alpha, srgb_u8.shape[1::-1], interpolation=cv2.INTER_LINEAR)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """photos/ and masks/ with a.png and b.png; our network sees the person, the teacher of b somebody beside too."""
    monkeypatch.setattr(labels, "pick_engine", lambda _: Network(boxes(PERSON)))
    (tmp_path / "photos").mkdir()
    (tmp_path / "masks").mkdir()
    for name, mask in (("a", boxes(PERSON)), ("b", np.maximum(boxes(PERSON), 0.7 * boxes(BESIDE)))):
        photo = np.full((*SIZE, 3), 200, np.uint8)
        photo[PERSON], photo[BESIDE] = 30, 90
        cv2.imwrite(str(tmp_path / "photos" / f"{name}.png"), photo)
        cv2.imwrite(str(tmp_path / "masks" / f"{name}.png"), np.rint(255 * mask).astype(np.uint8))
    return tmp_path


def written(folder, teacher="masks"):
    return list(write_labels(folder / "photos", folder / "out", str(folder / teacher), size=128))


def test_where_both_agree_the_label_is_sure(folder):
    written(folder)
    alpha, sure = (read_alpha(folder / "out" / name / "a.png") for name in ("alpha", "confidence"))
    assert alpha[30:80, 36:64].min() == 255
    assert alpha[:, 80:].max() == 0
    assert sure.min() > 200
    assert read_table(folder / "out")["a"][0] > 0.9


def test_where_they_contradict_each_other_the_label_is_unsure(folder):
    written(folder)
    alpha, sure = (read_alpha(folder / "out" / name / "b.png") for name in ("alpha", "confidence"))
    assert alpha[40:80, 96:114].max() == 0  # the teacher is not sure enough
    assert sure[40:80, 96:114].max() < 128
    assert sure[30:80, 36:64].min() > 200
    assert read_table(folder / "out")["b"][0] < 0.5


def test_training_leaves_doubtful_areas_undecided(folder):
    written(folder)
    rows, skipped = pack(entries_in([folder / "out"], ["out"]), folder / "pack.zip")
    mattes = {entry.name: entry.read()[1] for entry in entries_in([folder / "pack.zip"])}
    assert not skipped
    assert 100 < mattes["b"][40:80, 96:114].mean() < 150
    assert mattes["a"][40:80, 96:114].max() == 0
    sure = {row.name: row.confidence for row in rows}
    assert sure["b"] < 0.7 < sure["a"]


def test_the_folder_is_one_to_train_on(folder):
    written(folder)
    photos = load_photos(entries_in([folder / "out"]), 64)
    assert [entry.name for entry in photos.entries] == ["a", "b"]
    sure = [read_table(folder / "out")[name][0] for name in "ab"]
    assert [entry.confidence for entry in photos.entries] == sure
    assert_allclose(shares_of(photos, {}), np.array(sure) / sum(sure), rtol=0, atol=1e-12)
    photos.entries[1] = replace(photos.entries[1], group="other")
    assert_allclose(shares_of(photos, {}), [0.5, 0.5], rtol=0, atol=1e-12)  # sets are drawn equally often
    assert_allclose(shares_of(photos, {"other": 3}), [0.25, 0.75], rtol=0, atol=1e-12)
    sheet = cv2.imread(str(folder / "out" / labels.SHEET))
    assert sheet is not None
    assert sheet.shape[0] > 480  # two rows, the least certain first


def test_a_second_run_continues(folder):
    (folder / "photos" / "c.png").write_bytes(b"no photo")
    (folder / "photos" / "d.png").write_bytes((folder / "photos" / "a.png").read_bytes())
    first = written(folder)
    assert [line.split(":")[0] for line in first] == ["a.png", "b.png", "skipped c.png", "skipped d.png"]
    assert "d.png" in first[3]  # there is no mask of that name
    (folder / "masks" / "d.png").write_bytes((folder / "masks" / "a.png").read_bytes())
    (folder / "out" / "alpha" / "a.png").unlink()
    again = written(folder)
    assert [line.split(":")[0] for line in again] == ["skipped c.png", "d.png"]
    assert not (folder / "out" / "alpha" / "a.png").exists()  # a label that somebody deleted is not made again
    assert set(read_table(folder / "out")) == {"a", "b", "d"}


def test_labels_that_cover_nothing_are_refused(folder, monkeypatch):
    monkeypatch.setattr(labels, "pick_engine", lambda _: Network(boxes()))
    for name in "ab":
        cv2.imwrite(str(folder / "masks" / f"{name}.png"), np.zeros(SIZE, np.uint8))
    with pytest.raises(InvalidInput, match="expected subjects, found only empty labels"):
        written(folder)


@pytest.mark.parametrize(
    ("teacher", "error", "line"),
    [
        ("photos/none", InvalidInput, "--teacher: expected isnet, rembg:NAME, a .onnx file or a folder of masks"),
        ("empty", InvalidInput, "--teacher: expected masks NAME.png in .*empty, found none"),
        ("net.onnx", WeightsError, "damaged, cut short or no ONNX file"),
    ],
)
def test_an_invalid_teacher_is_refused(folder, teacher, error, line):
    (folder / "empty").mkdir()
    (folder / "net.onnx").write_bytes(b"no network")
    with pytest.raises(error, match=line):
        written(folder, teacher)
    assert not (folder / "out").exists()


def test_a_folder_without_photos_is_refused(folder):
    (folder / "none").mkdir()
    with pytest.raises(InvalidInput, match=r"photos: expected photos in .*none, found none"):
        list(write_labels(folder / "none", folder / "out", str(folder / "masks"), size=128))
