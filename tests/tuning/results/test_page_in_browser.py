"""The page of a study in a real browser: every panel is drawn, and nothing is printed on the console."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines import report
from tests.browser import WholePage, drawn
from tuning import ranking, summary
from tuning.results import page
from tuning.trial import State, Trial

pytestmark = pytest.mark.full

# A colour that each panel has and its axes have not: the lowest of the heat maps, the marks, the bars.
PANELS = {"score": "#440154", "gap": "#000004", "history": report.GENE, "importance": report.ACCENT}
WHY = "model.kind lstm: one sequence of 1,510 tokens needs 3.02 GiB, and the machine has 2.5 GiB (lower model.hidden)"


def trials() -> list[Trial]:
    """Forty, over five keys, some of them stopped early, infeasible or failed."""
    rows = []
    for number in range(1, 41):
        state: State = "infeasible" if number % 9 == 0 else "failed" if number == 20 else "finished"
        state = "stopped early" if state == "finished" and number % 3 == 0 else state
        value = None if state in ("infeasible", "failed") else 0.8 + 0.001 * (number * 37 % 100)
        parameters = {
            "model.embedding": 2 ** (3 + number % 5),
            "model.hidden": 2 ** (3 + number * 7 // 5 % 5),
            "model.layers": 1 + number % 2,
            "training.learning_rate": 10 ** (-2 - number * 13 % 40 / 20),
            "crop.length": 100 * (1 + number % 3),
        }
        rows.append(
            Trial(
                number,
                number,
                f"{number:064d}",
                0,
                parameters,
                state,
                reason=WHY if value is None else "",
                validation_auroc=value,
                train_auroc=None if value is None else value + 0.0005 * number,
                weights=None if value is None else 100_000 * number,
                memory_predicted=number << 27,
                epochs=0 if value is None else 5,
                seconds=60.0 * number,
            )
        )
    return rows


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    sizes = summary.sizes(trials(), {}, "auroc")
    shares = {"training.learning_rate": 0.6, "model.hidden": 0.3, "model.embedding": 0.1}
    page.build_page(trials(), "auroc", sizes, shares, page.subtitle(trials(), "optuna", 5000)).write(path)
    return path


def test_every_panel_is_drawn_wide_enough_and_described_in_words(shown: tuple[Any, list[str]]) -> None:
    opened, _ = shown
    for panel, colour in PANELS.items():
        plot = opened.locator(f"#figure-{panel} svg")
        box = plot.bounding_box()
        assert box is not None, panel
        assert box["width"] > 300, panel
        assert box["height"] > 90, panel
        assert drawn(plot.screenshot(), colour) > 20, panel
        assert opened.locator(f"#figure-{panel} figcaption").inner_text().strip(), panel
        words = opened.locator(f"#figure-{panel} [role=img]").get_attribute("aria-label")
        assert any(letter.isdigit() for letter in words), panel


class TestStudyPage(WholePage):
    pass


def test_the_best_trial_stands_first_stands_out_and_is_the_one_that_the_sentence_names(
    shown: tuple[Any, list[str]],
) -> None:
    opened, _ = shown
    chosen = ranking.best(trials(), "auroc")
    assert chosen is not None
    table = opened.locator("table", has_text="The best configuration first")
    row = table.locator("tr.best")
    assert row.count() == 1
    assert row.locator("td").first.inner_text() == table.locator("td").first.inner_text() == str(chosen.number)
    assert f"{chosen.validation_auroc:.4f}" in row.inner_text()
    assert f"AUROC of {chosen.validation_auroc:.4f}" in opened.locator(".lead").inner_text()
    colour = "element => getComputedStyle(element).backgroundColor"
    assert row.locator("td").nth(1).evaluate(colour) != table.locator("td").nth(40).evaluate(colour)


def test_sentences_in_a_table_wrap_where_there_is_room_for_the_table(shown: tuple[Any, list[str]]) -> None:
    opened, _ = shown
    table = opened.locator("table", has_text="one sequence of 1,510 tokens")
    cell = table.locator("td", has_text="one sequence of 1,510 tokens").first
    if opened.viewport_size["width"] > 1000:
        assert table.evaluate("element => element.scrollWidth <= element.parentElement.clientWidth")
    else:
        assert cell.bounding_box()["width"] <= 360
