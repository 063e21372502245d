"""docs/results.md is what benchmarks/results says, and a figure changed there or here is noticed."""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import results_page


def test_the_page_is_what_the_files_say():
    assert results_page.PAGE.read_text(encoding="utf-8") == results_page.page()


def test_a_changed_figure_changes_the_page(tmp_path):
    shutil.copytree(results_page.RESULTS, tmp_path / "results")
    file = tmp_path / "results" / "pairs_judge_clamped.json"
    data = results_page.load(tmp_path / "results", "pairs_judge_clamped")
    old = f'"psnr_db": {data["means"]["thin-lens look"]["psnr_db"]}'
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, '"psnr_db": 12.34'))
    assert "| thin-lens look | 12.34 |" in results_page.page(tmp_path / "results")
    assert results_page.page(tmp_path / "results") != results_page.page()
