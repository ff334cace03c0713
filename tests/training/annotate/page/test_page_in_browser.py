"""The page of an annotation in a real browser: every picture is drawn, on screens of two widths and on paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser import WholePage, drawn, window
from tests.training.annotate.page import pages
from training.annotate.page.drawing import COLOURS

pytestmark = pytest.mark.full

FIGURES = ("length-exons", "length-introns", "exons", "scores", "surest", "median", "least-sure", "longest", "intron")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    pages.write(folder, pages.genes())
    return folder / "page.html"


def test_every_picture_is_drawn_wide_enough(shown: tuple[Any, list[str]]) -> None:
    opened, _ = shown
    for name in FIGURES:
        picture = opened.locator(f"#figure-{name} svg")
        box = picture.bounding_box()
        assert box["width"] >= min(340, 0.85 * opened.viewport_size["width"]), name
        assert drawn(picture.screenshot(), COLOURS["CDS"]) > 300, name


def test_texts_lie_inside_of_their_pictures(shown: tuple[Any, list[str]]) -> None:
    opened, _ = shown
    outside = opened.evaluate(
        """[...document.querySelectorAll("figure svg")].flatMap(svg => {
            const box = svg.getBoundingClientRect();
            return [...svg.querySelectorAll("text")].filter(text => {
                const own = text.getBoundingClientRect();
                return own.left < box.left - 1 || own.right > box.right + 1 || own.bottom > box.bottom + 1;
            }).map(text => text.textContent);
        })"""
    )
    assert outside == []


def test_letters_can_be_read(shown: tuple[Any, list[str]]) -> None:
    opened, _ = shown
    smallest = opened.evaluate(
        """Math.min(...[...document.querySelectorAll("figure svg text")].map(text =>
            parseFloat(getComputedStyle(text).fontSize) * text.ownerSVGElement.getScreenCTM().a))"""
    )
    assert smallest >= 8


class TestWholePage(WholePage):
    pass


def test_on_paper_no_table_is_cut_and_no_picture_is_wider_than_the_page(browser: Any, file: Path) -> None:
    with window(browser, file, "phone", "dark") as (opened, _):
        opened.set_viewport_size({"width": 718, "height": 1000})
        opened.emulate_media(media="print")
        assert opened.evaluate("[...document.querySelectorAll('.scroll')].every(e => e.scrollWidth <= e.clientWidth)")
        widest = opened.evaluate(
            "Math.max(...[...document.querySelectorAll('svg')].map(one => one.getBoundingClientRect().right))"
        )
        assert widest <= 718
