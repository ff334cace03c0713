"""Pages in a real browser."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTHS = {"desktop": 1200, "phone": 390}
# Between margins of 14 mm on A4, at the 96 pixels an inch of CSS.
PAPER = 688
WINDOWS = [(width, scheme) for width in WIDTHS for scheme in ("light", "dark")]


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; the test is skipped where there is none."""
    driver = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: scripts/setup-full.sh does it"
    )
    requested = os.environ.get("RAYGENE_BROWSER")
    program = next(filter(None, map(shutil.which, [requested] if requested else NAMES)), None)
    if program is None:
        pytest.skip(f"no browser found: install one of {', '.join(NAMES)}, or name one in RAYGENE_BROWSER")
    with driver.sync_playwright() as running:
        # A browser of the system cannot set up its own sandbox for root, nor inside most containers.
        opened = running.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


@contextmanager
def window(browser: Any, file: Path, width: str, scheme: str) -> Iterator[tuple[Any, list[str]]]:
    """A page in a window of a width and scheme; the messages of the console, and every requested address."""
    opened = browser.new_page(viewport={"width": WIDTHS[width], "height": 900}, color_scheme=scheme)
    messages: list[str] = []
    opened.on("console", lambda message: messages.append(message.text))
    opened.on("pageerror", lambda error: messages.append(str(error)))
    opened.on("request", lambda request: messages.append(request.url) if not request.url.startswith("file:") else None)
    opened.goto(file.as_uri())
    yield opened, messages
    opened.close()


def drawn(image: bytes, colour: str) -> int:
    """How many pixels of a screenshot have a colour such as `#2f7d5b`."""
    # The process that hands out the tests loads this module too, and has no other use for matplotlib.
    import matplotlib.image

    pixels = (matplotlib.image.imread(io.BytesIO(image), format="png") * 255).round()[:, :, :3]
    expected = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
    return int((np.abs(pixels - expected).max(axis=2) <= 8).sum())


_WITH_WORDS = "element => `${element.tagName} ${element.className} ${(element.textContent || '').slice(0, 60)}`"
# What is inside of an SVG is clipped by it, and a text in a line has no box of its own.
_SCROLLING = f"""() => [...document.body.querySelectorAll(':not(svg):not(svg *)')].filter(element =>
    element.clientWidth > 0 && getComputedStyle(element).display != 'inline' &&
    element.scrollWidth > element.clientWidth + 1).map({_WITH_WORDS})"""
_BEYOND = f"""width => [...document.body.querySelectorAll(':not(svg *)')].filter(element =>
    element.getBoundingClientRect().right > width + 1).map({_WITH_WORDS})"""
_CLOSED = f"""() => [...document.querySelectorAll('details table')].filter(element =>
    element.clientHeight < 20 || !element.checkVisibility({{contentVisibilityAuto: true}})).map({_WITH_WORDS})"""
_TEXTS = "h1, h2, p, th, td, caption, summary, figcaption"
_UNREADABLE = f"""least => [...document.querySelectorAll('{_TEXTS}')].filter(element =>
    parseFloat(getComputedStyle(element).fontSize) < least).map({_WITH_WORDS})"""


class WholePage:
    """What holds for every page in every window: a file of tests inherits it, and has a fixture `file`."""

    def test_the_console_is_silent_and_nothing_is_fetched(self, shown: tuple[Any, list[str]]) -> None:
        _, messages = shown
        assert messages == []

    def test_the_page_is_no_wider_than_the_window(self, shown: tuple[Any, list[str]]) -> None:
        opened, _ = shown
        assert opened.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    def test_a_desktop_shows_all_of_it_and_a_phone_scrolls_tables_alone(self, shown: tuple[Any, list[str]]) -> None:
        opened, _ = shown
        scrolling = opened.evaluate(_SCROLLING)
        if opened.viewport_size["width"] == WIDTHS["phone"]:
            scrolling = [element for element in scrolling if not element.startswith("DIV scroll")]
        assert scrolling == []
        assert opened.evaluate(_UNREADABLE, 12) == []

    def test_on_paper_nothing_is_cut_or_closed(self, shown: tuple[Any, list[str]]) -> None:
        opened, _ = shown
        size = opened.viewport_size
        opened.set_viewport_size({"width": PAPER, "height": 970})
        opened.emulate_media(media="print")
        scrolling, beyond = opened.evaluate(_SCROLLING), opened.evaluate(_BEYOND, PAPER)
        closed = opened.evaluate(_CLOSED)
        ink = opened.evaluate("getComputedStyle(document.body).color + getComputedStyle(document.body).backgroundColor")
        small = opened.evaluate(_UNREADABLE, 7)
        opened.emulate_media(media="screen")
        opened.set_viewport_size(size)
        assert scrolling == beyond == closed == small == []
        assert ink == "rgb(0, 0, 0)rgb(255, 255, 255)"
