"""The page of an evaluation in a real browser: every panel drawn, nothing said on the console."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

from pipelines import report
from tests.training.evaluation.test_page import PANELS
from training.evaluation import Evaluation, page

pytestmark = pytest.mark.full

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTHS = {"desk": 1280, "phone": 400}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    driver = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: scripts/setup-full.sh does it"
    )
    wanted = os.environ.get("RAYGENE_BROWSER")
    program = next(filter(None, map(shutil.which, [wanted] if wanted else NAMES)), None)
    if program is None:
        pytest.skip(f"no browser found: install one of {', '.join(NAMES)}, or name one in RAYGENE_BROWSER")
    with driver.sync_playwright() as running:
        # A browser of the system cannot set up its own sandbox for root, nor inside most containers.
        opened = running.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def file(judged: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    page.page(judged).write(path)
    return path


@pytest.fixture(params=[(width, scheme) for width in WIDTHS for scheme in ("light", "dark")], ids="-".join)
def shown(request: pytest.FixtureRequest, browser: Any, file: Path) -> Iterator[tuple[Any, list[str]]]:
    """The page in a window of that width and scheme, and what the console says."""
    width, scheme = request.param
    opened = browser.new_page(viewport={"width": WIDTHS[width], "height": 900}, color_scheme=scheme)
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda asked: said.append(asked.url) if not asked.url.startswith("file:") else None)
    opened.goto(file.as_uri())
    yield opened, said
    opened.close()


def drawn(image: bytes) -> int:
    """How many pixels have the colour of the first model, which axes and text have not."""
    pixels = (matplotlib.image.imread(io.BytesIO(image), format="png") * 255).round()[:, :, :3]
    wanted = [int(report.GENE[place : place + 2], 16) for place in (1, 3, 5)]
    return int((np.abs(pixels - wanted).max(axis=2) <= 8).sum())


def test_every_panel_is_there_drawn_and_as_wide_as_its_place(shown: tuple[Any, list[str]]) -> None:
    opened, _ = shown
    for panel in PANELS:
        plot = opened.locator(f"#figure-{panel} svg")
        box = plot.bounding_box()
        assert box is not None, panel
        assert box["width"] > 300, panel
        assert box["height"] > 90, panel
        assert drawn(plot.screenshot()) > 20, panel
        assert opened.locator(f"#figure-{panel} figcaption").inner_text().strip(), panel


def test_the_console_is_silent_and_nothing_is_fetched(shown: tuple[Any, list[str]]) -> None:
    _, said = shown
    assert said == []


def test_the_page_is_no_wider_than_the_window(shown: tuple[Any, list[str]]) -> None:
    opened, _ = shown
    assert opened.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_text_stands_out_from_the_paper(shown: tuple[Any, list[str]]) -> None:
    """At least the contrast of 4.5 that WCAG 2 asks for."""
    opened, _ = shown
    style = "getComputedStyle(document.querySelector('{}'))"
    paper = _luminance(opened.evaluate(style.format("body") + ".backgroundColor"))
    for selector in ("h1", ".sub", "figcaption", "td", "caption"):
        ink = _luminance(opened.evaluate(style.format(selector) + ".color"))
        light, dark = max(ink, paper), min(ink, paper)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, selector


def _luminance(colour: str) -> float:
    """Relative luminance of `rgb(r, g, b)`, as WCAG 2 defines it."""
    channels = np.array([float(one) for one in colour.split("(")[1].rstrip(")").split(",")[:3]]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def test_folded_tables_open_without_a_script(shown: tuple[Any, list[str]]) -> None:
    opened, _ = shown
    table = opened.locator("details", has_text="Decision thresholds").locator("table")
    assert not table.is_visible()
    opened.locator("summary", has_text="Decision thresholds").click()
    assert table.is_visible()
