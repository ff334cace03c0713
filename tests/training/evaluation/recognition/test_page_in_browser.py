"""The page of an evaluation in a real browser: every panel is drawn, and nothing is printed on the console."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines import report
from tests.browser import WholePage, drawn
from tests.training.evaluation.recognition.test_page import PANELS
from training.evaluation.recognition import Evaluation, page

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def file(evaluated: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    page.build_page(evaluated).write(path)
    return path


def test_every_panel_is_drawn_wide_enough_and_has_a_caption(shown: tuple[Any, list[str]]) -> None:
    opened, _ = shown
    for panel in PANELS:
        plot = opened.locator(f"#figure-{panel} svg")
        box = plot.bounding_box()
        assert box is not None, panel
        assert box["width"] > 300, panel
        assert box["height"] > 90, panel
        # The colour of the first model, which axes and text have not.
        assert drawn(plot.screenshot(), report.GENE) > 20, panel
        assert opened.locator(f"#figure-{panel} figcaption").inner_text().strip(), panel


class TestEvaluationPage(WholePage):
    pass


def test_text_stands_out_from_the_paper(shown: tuple[Any, list[str]]) -> None:
    """The contrast is at least 4.5, as WCAG 2 requires."""
    opened, _ = shown
    style = "getComputedStyle(document.querySelector('{}'))"
    paper = _luminance(opened.evaluate(style.format("body") + ".backgroundColor"))
    for selector in ("h1", ".sub", "figcaption", "td", "caption"):
        ink = _luminance(opened.evaluate(style.format(selector) + ".color"))
        light, dark = max(ink, paper), min(ink, paper)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, selector


def _luminance(colour: str) -> float:
    """Relative luminance of `rgb(r, g, b)`, as WCAG 2 defines it."""
    channels = np.array([float(channel) for channel in colour.split("(")[1].rstrip(")").split(",")[:3]]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def test_folded_tables_open_without_a_script(shown: tuple[Any, list[str]]) -> None:
    opened, _ = shown
    table = opened.locator("details", has_text="Decision thresholds").locator("table")
    assert not table.is_visible()
    opened.locator("summary", has_text="Decision thresholds").click()
    assert table.is_visible()
