"""docs/results.md has the figures of benchmarks/results; a change in either is noticed."""

import json
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import results_page

from provenance import write_result


def test_the_page_has_the_figures_of_the_files():
    assert results_page.PAGE.read_text(encoding="utf-8") == results_page.page()


def test_a_changed_figure_changes_the_page(tmp_path):
    shutil.copytree(results_page.RESULTS, tmp_path / "results")
    file = tmp_path / "results" / "pairs_composites.json"
    data = results_page.load(tmp_path / "results", "pairs_composites")
    old = f'"psnr_db": {data["means"]["thin-lens look"]["psnr_db"]}'
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, '"psnr_db": 12.34'))
    assert "| thin-lens look | 12.34 |" in results_page.page(tmp_path / "results")
    assert results_page.page(tmp_path / "results") != results_page.page()


@pytest.mark.parametrize("file", sorted(results_page.RESULTS.glob("*.json")), ids=lambda file: file.stem)
def test_every_result_states_command_commit_and_machine(file):
    found = json.loads(file.read_text(encoding="utf-8"))
    assert {"command", "commit", "machine"} <= found.keys()


def test_a_benchmark_writes_its_result_behind_where_it_comes_from(tmp_path):
    write_result(tmp_path / "new" / "one.json", {"commit": "an earlier run's", "rows": [1.0, float("inf")]})
    found = json.loads((tmp_path / "new" / "one.json").read_text(encoding="utf-8"))
    assert list(found)[:3] == ["command", "commit", "date"]
    assert found["commit"] != "an earlier run's"
    assert found["rows"] == [1.0, None]


@pytest.mark.parametrize("key", ["commit", "machine", "command"])
@pytest.mark.parametrize("name", ["reproduce", "field_composites", "pairs_composites", "ablations", "eval_speed"])
def test_figures_that_do_not_say_where_they_come_from_are_refused(tmp_path, name, key):
    shutil.copytree(results_page.RESULTS, tmp_path / "results")
    data = results_page.load(tmp_path / "results", name)
    del (data["rows"]["eval bokeh"] if name == "eval_speed" else data)[key]
    (tmp_path / "results" / f"{name}.json").write_text(json.dumps(data))
    with pytest.raises(KeyError, match=key):
        results_page.page(tmp_path / "results")


def test_the_best_of_each_column_is_bold():
    means = {
        "a": {"all": {"psnr_db": 30.0, "flip": 0.1}, "subject": {}, "background": {}},
        "b": {"all": {"psnr_db": 20.0, "flip": 0.05}, "subject": {}, "background": {}},
    }
    rows = {row[0]: dict(zip(results_page.SCORES, row[1:], strict=True)) for row in results_page.scored(means)}
    assert (rows["a"]["PSNR, dB"], rows["b"]["PSNR, dB"]) == ("**30.00**", "20.00")
    assert (rows["a"]["FLIP"], rows["b"]["FLIP"]) == ("0.1000", "**0.0500**")
    assert rows["a"]["SSIM"] == "-"
