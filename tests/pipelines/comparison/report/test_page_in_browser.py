"""The page of a comparison in a real browser: every plot and locus is drawn, on screens of two widths and on paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines import report
from pipelines.comparison.analysis import Analysis
from pipelines.comparison.report import page
from tests.browser import WholePage, drawn

pytestmark = pytest.mark.full

FIGURES = ("levels", "introns", "exact", "fused", "split", "missed", "wrong-strand", "invented")


@pytest.fixture(scope="module")
def file(two: Analysis, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    page.build_page(two, [("annotation", "genes.gff3")]).write(path)
    return path


def test_every_plot_and_locus_is_drawn_wide_enough(shown: tuple[Any, list[str]]) -> None:
    opened, _ = shown
    for name in FIGURES:
        plot = opened.locator(f"#figure-{name} svg")
        box = plot.bounding_box()
        assert box is not None, name
        assert box["width"] > 300, name
        colours = (report.INK, *report.COLOURS[:2])
        assert any(drawn(plot.screenshot(), colour) > 20 for colour in colours), name


class TestComparisonPage(WholePage):
    pass
