from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tuning import summary
from tuning.results import page
from tuning.trial import State, Trial

BASE = {"model": {"embedding": 8, "hidden": 8}}


def trial(number: int, hidden: int, value: float | None, seed: int = 0, state: State = "finished") -> Trial:
    """A trial whose configuration is its hidden size, the same figure as AUROC and MCC."""
    figures = {"validation_auroc": value, "validation_mcc": value, "train_auroc": value, "train_mcc": value}
    return Trial(number, hidden, f"{number:064d}", seed, {"model.hidden": hidden}, state, epochs=2, **figures)


def html_of(
    trials: Sequence[Trial], metric: str = "auroc", seeds: int = 1, shares: dict[str, float] | None = None
) -> str:
    sizes = summary.sizes(trials, BASE, metric)
    return page.build_page(trials, metric, sizes, shares or {}, "about", seeds).html()


def html_without_size_plots(trials: Sequence[Trial], metric: str = "auroc", seeds: int = 1) -> str:
    """The page without the plots of sizes, which take most of the time."""
    return page.build_page(trials, metric, [], {}, "about", seeds).html()


def best_rows(html: str) -> list[list[str]]:
    """Cells of the rows that are marked as the best."""
    return [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in re.findall(r"<tr class=best>(.*)", html)]


def test_the_marked_row_is_of_the_configuration_that_the_conclusion_names() -> None:
    steady = [trial(1, 8, 0.80), trial(2, 8, 0.84, 1)]
    lucky = [trial(3, 13, 0.60), trial(4, 13, 0.99, 1)]
    html = html_without_size_plots([*steady, *lucky], "mcc", 2)
    assert "Best: hidden 8, with a validation MCC of 0.8200 over 2 seeds" in html
    assert [row[:4] for row in best_rows(html)] == [["2", "finished", "8", "1"]]


def test_a_configuration_with_a_missing_seed_is_not_marked() -> None:
    html = html_without_size_plots([trial(1, 8, 0.7), trial(2, 8, 0.7, 1), trial(3, 13, 0.99)], seeds=2)
    assert [row[:3] for row in best_rows(html)] == [["1", "finished", "8"]]


def test_a_metric_of_zero_ranks_above_negative_ones() -> None:
    html = html_without_size_plots(
        [trial(1, 8, -0.1), trial(2, 13, None, state="infeasible"), trial(3, 16, 0.0)], "mcc"
    )
    assert [row[:3] for row in best_rows(html)] == [["3", "finished", "16"]]
    rows = re.findall(r"<tr(?: class=best)?><td[^>]*>(\d+)</td>", html[html.index("<h2>All trials") :])
    assert rows[:3] == ["3", "1", "2"]


@pytest.mark.parametrize("state", ["infeasible", "failed", "begun"])
def test_nothing_is_marked_where_no_trial_was_completed(state: State) -> None:
    html = html_without_size_plots([trial(1, 8, None, state=state), trial(2, 8, 0.9, 1, state=state)])
    assert best_rows(html) == []
    assert "No trial has a validation metric." in html


def test_a_page_has_the_same_bytes_for_the_same_study() -> None:
    trials = [trial(number, 8 * number, 0.5 + number / 10) for number in (1, 2, 3)]
    first, second = (html_of(trials, shares={"model.hidden": 0.7, "model.layers": 0.3}) for _ in range(2))
    assert first == second
    for name in ("score", "gap", "history", "importance"):
        assert f'id="figure-{name}"' in first


def test_a_heat_map_has_its_numbers_in_the_cells_and_its_extremes_in_words() -> None:
    trials = [trial(number, 8 * number, 0.5 + number / 10) for number in (1, 2, 3)]
    sizes = summary.sizes(trials, BASE, "auroc")
    assert page.heatmap(sizes, lambda size: size.score, "viridis").axes[0].texts[-1].get_text() == "0.800"
    extremes = "from 0.600 (embedding 8, hidden 8) to 0.800 (embedding 8, hidden 24)"
    assert f'aria-label="Validation AUROC over embedding and hidden size, {extremes}' in html_of(trials)


def test_states_differ_in_their_markers() -> None:
    pairs = [(trial(1, 8, 0.7), 0.7), (trial(2, 8, 0.6, state="stopped early"), 0.6)]
    drawn = page.history(pairs, "AUROC").axes[0].lines
    assert {line.get_label(): line.get_marker() for line in drawn[:2]} == {"finished": "o", "stopped early": "x"}


def test_different_tasks_and_pooled_sizes_are_pointed_out() -> None:
    trials = [trial(1, 8, 0.7), trial(2, 16, 0.8)]
    html = html_of([replace(row, parameters=row.parameters | {"crop.length": 50 * row.number}) for row in trials])
    assert "Caution: crop.length decides which rows validation has" in html
    assert "Trials of one size also differ in length" in html


def test_text_is_legible_in_every_cell() -> None:
    trials = [trial(number, 8 * number, 0.5 + number / 30) for number in range(1, 12)]
    for colours in ("viridis", "magma"):
        axes = page.heatmap(summary.sizes(trials, BASE, "auroc"), lambda size: size.score, colours).axes[0]
        cells = axes.images[0]
        assert len(axes.texts) == len(trials)
        for row, text in enumerate(axes.texts):
            under = page.luminance(cells.to_rgba(cells.get_array()[row, 0]))
            light, dark = max(under, text.get_color() == "white"), min(under, text.get_color() == "white")
            assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_the_page_names_its_datasets_and_its_command() -> None:
    rows = [replace(one, fingerprint=f"data{one.number % 2}") for one in (trial(1, 8, 0.8), trial(2, 16, 0.9))]
    html = page.build_page(rows, "auroc", [], {}, "about", command="raygene tune e.yaml").html()
    for name, value in (("dataset 1", "data1"), ("dataset 2", "data0"), ("command", "raygene tune e.yaml")):
        assert f"<td>{name}</td><td>{value}</td>" in html
