from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from tuning import importance, page, summary, tables
from tuning.config import Domain
from tuning.trial import State, Trial

BASE = {"model": {"embedding": 32, "hidden": 32}}


def trial(number: int, auroc: float | None, *, state: State = "finished", seed: int = 0, **parameters: object) -> Trial:
    return Trial(
        number,
        int(str(parameters.pop("configuration", number))),
        f"{number:064d}",
        seed,
        {f"model.{key}": value for key, value in parameters.items()},
        state,
        validation_auroc=auroc,
        validation_mcc=auroc,
        train_auroc=None if auroc is None else auroc + 0.01 * number,
        epochs=2,
        ended=number,
    )


def test_a_mean_has_the_interval_of_students_t() -> None:
    values = [0.7, 0.8, 0.75]
    found = summary.mean(values)
    low, high = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    assert found.value == pytest.approx((low + high) / 2)
    assert found.half == pytest.approx((high - low) / 2)
    assert summary.mean([0.5]).half is None


def test_the_best_configuration_is_best_over_its_seeds_not_in_its_luckiest() -> None:
    lucky = [trial(1, 0.99, configuration=1), trial(2, 0.5, configuration=1, seed=1)]
    steady = [trial(3, 0.8, configuration=2), trial(4, 0.85, configuration=2, seed=1)]
    chosen = summary.best([*lucky, *steady], "auroc")
    assert chosen is not None
    assert chosen.number == 4


def test_a_configuration_with_a_seed_under_way_is_not_judged_yet() -> None:
    trials = [trial(1, 0.9, configuration=1), trial(2, None, configuration=1, state="begun"), trial(3, 0.6)]
    chosen = summary.best(trials, "auroc")
    assert chosen is not None
    assert chosen.number == 3


def test_where_nothing_has_a_figure_nothing_is_best() -> None:
    trials = [trial(1, None, state="infeasible"), trial(2, None, state="failed")]
    assert summary.best(trials, "auroc") is None
    assert summary.verdict(trials, "auroc") == "No trial has a validation figure."
    assert summary.account(trials) == "2 trials: 1 infeasible, 1 failed"


def test_sizes_pool_seeds_and_take_what_is_not_searched_from_the_experiment() -> None:
    trials = [trial(1, 0.7, hidden=8), trial(2, 0.8, hidden=8), trial(3, 0.9, hidden=16), trial(4, None, hidden=64)]
    found = summary.sizes(trials, BASE, "auroc")
    assert [(one.embedding, one.hidden, one.score.count) for one in found] == [(32, 8, 2), (32, 16, 1)]
    assert found[0].score.value == pytest.approx(0.75)
    assert found[0].gap.value == pytest.approx(0.015)


def test_rows_stand_best_first_and_fit_their_header() -> None:
    trials = [trial(1, 0.7, hidden=8), trial(2, None, state="failed", hidden=4), trial(3, 0.9, layers=2)]
    found = summary.rows(trials, "auroc")
    assert [row[0] for row in found] == [3, 1, 2]
    assert all(len(row) == len(summary.header(trials, "auroc")) for row in found)


def test_a_table_has_a_typed_column_for_every_key() -> None:
    trials = [trial(1, 0.7, hidden=8, dropout=0), trial(2, 0.7, hidden=16, dropout=0.5, kind="gru")]
    table = tables.table(trials)
    assert table["model.hidden"].type == pa.int64()
    assert table["model.dropout"].type == pa.float64()
    assert table["model.kind"].to_pylist() == [None, "gru"]
    assert table["gap_auroc"].to_pylist() == pytest.approx([0.01, 0.02])
    assert len(tables.table([])) == 0


def test_importance_finds_the_key_that_matters() -> None:
    space = {"model.hidden": Domain(grid=[8, 16, 32, 64]), "model.layers": Domain(int=(1, 4))}
    trials = [
        trial(4 * row + column, 0.5 + math.log2(hidden) / 20, hidden=hidden, layers=layers)
        for row, hidden in enumerate((8, 16, 32, 64))
        for column, layers in enumerate((1, 2, 3, 4))
    ]
    found = importance.importance(trials, space, "auroc")
    assert next(iter(found)) == "model.hidden"
    assert found["model.hidden"] > 0.9
    assert sum(found.values()) == pytest.approx(1)
    assert importance.importance(trials[:3], space, "auroc") == {}


def test_a_page_is_the_same_bytes_for_the_same_campaign_and_bears_a_campaign_without_a_figure() -> None:
    trials = [trial(number, 0.5 + number / 10, hidden=8 * number, embedding=8) for number in (1, 2, 3)]
    sizes = summary.sizes(trials, BASE, "auroc")
    first, again = (page.page(trials, "auroc", sizes, {"model.hidden": 1.0}, "about").html() for _ in range(2))
    assert first == again
    assert "figure-score" in first
    assert "0.800" in page.heat(sizes, lambda one: one.score, "viridis").axes[0].texts[-1].get_text()
    assert "No trial has" in page.page([trial(1, None, state="failed")], "auroc", [], {}, "about").html()
