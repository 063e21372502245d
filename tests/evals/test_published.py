"""Published figures are data with source, protocol and date, and none hides another."""

import pytest

from wideopen.evals.benchmarks import BENCHMARKS
from wideopen.evals.published import HEADS, NOT_MEASURED, cited, missing, published, set_tables


@pytest.mark.parametrize("one", published(), ids=lambda one: f"{one.benchmark}-{one.method}")
def test_every_figure_has_source_protocol_date_and_a_plausible_value(one):
    assert all((one.method, one.source, one.protocol, one.date))
    assert one.figures
    limits = {"psnr_db": (10, 60), "sad": (1, 200), "connectivity": (1, 200), "gradient": (1, 200)}
    for name, value in one.figures.items():
        low, high = limits.get(name, (0, 1))
        assert name in HEADS
        assert low <= value <= high


def test_every_published_method_is_listed():
    methods = " ".join([*(one.method for one in published()), *missing()])
    for name in ("BokehMe", "MPIB", "Dr.Bokeh", "BokehDiff", "Bokehlicious", "Generative Refocusing", "Any-to-Bokeh"):
        assert name in methods
    assert "P3M-Net" in methods
    assert "BiRefNet" in methods


def test_two_sources_of_one_method_are_both_listed():
    rows, sources = cited("p3m-500-p")
    assert [rows[f"MODNet [{k}]"]["mse"] for k in (1, 3)] == [0.0042, 0.0113]
    assert [source[:3] for source in sources] == ["[1]", "[2]", "[3]"]
    assert len(rows) == sum(one.benchmark == "p3m-500-p" for one in published())


def test_every_table_has_our_figures_or_the_reason_why_not():
    tables = {table.title: table.rows for table in set_tables({"wax": {"wideopen thin-lens, 20 pairs": {"ssim": 0.9}}})}
    assert tables["WAX"][-1] == ["wideopen thin-lens, 20 pairs", "-", "0.9000", "-"]
    others = [rows for title, rows in tables.items() if title != "WAX"]
    assert all(rows[-1][0] == NOT_MEASURED for rows in others)
    assert BENCHMARKS["lf-bokeh"].title in tables
