"""Pages in a real browser."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTHS = {"desktop": 1280, "phone": 400}
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
    pixels = (matplotlib.image.imread(io.BytesIO(image), format="png") * 255).round()[:, :, :3]
    expected = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
    return int((np.abs(pixels - expected).max(axis=2) <= 8).sum())


class WholePage:
    """What holds for every page in every window: a file of tests inherits it, and has a fixture `file`."""

    def test_the_console_is_silent_and_nothing_is_fetched(self, shown: tuple[Any, list[str]]) -> None:
        _, messages = shown
        assert messages == []

    def test_the_page_is_no_wider_than_the_window(self, shown: tuple[Any, list[str]]) -> None:
        opened, _ = shown
        assert opened.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
