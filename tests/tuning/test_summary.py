from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tuning import ranking, summary
from tuning.results import tables
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
    mean = summary.mean(values)
    low, high = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    assert mean.value == pytest.approx((low + high) / 2)
    assert mean.half_width == pytest.approx((high - low) / 2)


def test_fewer_than_three_values_have_no_interval() -> None:
    assert str(summary.mean([0.5])) == "0.5000"
    assert str(summary.mean([0.9984, 0.8572])) == "0.9278"
    assert "±" in str(summary.mean([0.8, 0.9, 0.85]))


def test_the_best_configuration_is_that_of_the_best_mean_not_of_the_luckiest_seed() -> None:
    lucky = [trial(1, 0.99, configuration=1), trial(2, 0.5, configuration=1, seed=1)]
    steady = [trial(3, 0.8, configuration=2), trial(4, 0.85, configuration=2, seed=1)]
    chosen = ranking.best([*lucky, *steady], "auroc")
    assert chosen is not None
    assert chosen.number == 4


def test_a_configuration_with_a_running_seed_is_not_ranked_yet() -> None:
    trials = [trial(1, 0.9, configuration=1), trial(2, None, configuration=1, state="begun"), trial(3, 0.6)]
    chosen = ranking.best(trials, "auroc")
    assert chosen is not None
    assert chosen.number == 3


def test_a_configuration_is_ranked_once_it_has_all_of_its_seeds() -> None:
    trials = [
        trial(1, 0.9, configuration=1),
        *(trial(2 + seed, 0.6, configuration=2, seed=seed) for seed in (0, 1)),
    ]
    chosen = ranking.best(trials, "auroc", 2)
    assert chosen is not None
    assert chosen.configuration == 2
    assert [row.number for row in ranking.ranked(trials, "auroc", 2)] == [2, 3, 1]
    assert summary.conclusion(trials[:1], "auroc", 2) == "No configuration has all of its 2 seeds yet."
    assert "of 0.6000 over 2 seeds" in summary.conclusion(trials, "auroc", 2)


@pytest.mark.parametrize("state", ["failed", "infeasible", "repeated"])
def test_a_trial_that_failed_or_does_not_fit_is_never_the_best_whatever_its_epochs(state: State) -> None:
    trials = [trial(1, 0.99, state=state), trial(2, 0.6), trial(3, 0.4)]
    chosen = ranking.best(trials, "auroc")
    assert chosen is not None
    assert chosen.number == 2
    assert [row.number for row in ranking.ranked(trials, "auroc")] == [2, 3, 1]
    assert ranking.best(trials[:1], "auroc") is None
    assert [size.score.count for size in summary.sizes(trials, BASE, "auroc")] == [2]


def test_a_metric_of_zero_counts() -> None:
    trials = [trial(1, -0.2), trial(2, None, state="infeasible"), trial(3, 0.0), trial(4, 0.1), trial(5, -0.1)]
    assert [row[0] for row in summary.rows(trials, "mcc")] == [4, 3, 5, 1, 2]
    chosen = ranking.best(trials[:3], "mcc")
    assert chosen is not None
    assert chosen.number == 3


SEEDED = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.sampled_from(["finished", "stopped early", "failed", "infeasible", "begun"]),
        st.none() | st.sampled_from([-0.5, 0.0, 0.25, 0.5]),
    ),
    max_size=10,
)


@given(SEEDED, st.integers(1, 3))
def test_the_first_of_the_ranking_is_the_best_if_there_is_one(
    drawn: list[tuple[int, State, float | None]], seeds: int
) -> None:
    trials = [
        trial(number, value, state=state, seed=number, configuration=configuration)
        for number, (configuration, state, value) in enumerate(drawn, start=1)
    ]
    ranked, chosen = ranking.ranked(trials, "auroc", seeds), ranking.best(trials, "auroc", seeds)
    assert sorted(row.number for row in ranked) == [row.number for row in trials]
    if chosen is not None:
        assert ranked[0] == chosen
        assert chosen.state in ("finished", "stopped early")
        assert len([row for row in trials if row.configuration == chosen.configuration]) >= seeds


def test_without_a_metric_no_trial_is_the_best() -> None:
    trials = [trial(1, None, state="infeasible"), trial(2, None, state="failed")]
    assert ranking.best(trials, "auroc") is None
    assert summary.conclusion(trials, "auroc") == "No trial has a validation metric."
    assert summary.count_by_state(trials) == "2 trials: 1 infeasible, 1 failed"
    assert summary.count_by_state([trial(1, None, state="repeated")]) == "1 trial: 1 repeated"


def test_sizes_pool_seeds_and_take_a_size_that_is_not_searched_from_the_experiment() -> None:
    trials = [trial(1, 0.7, hidden=8), trial(2, 0.8, hidden=8), trial(3, 0.9, hidden=16), trial(4, None, hidden=64)]
    sizes = summary.sizes(trials, BASE, "auroc")
    assert [(size.embedding, size.hidden, size.score.count) for size in sizes] == [(32, 8, 2), (32, 16, 1)]
    assert sizes[0].score.value == pytest.approx(0.75)
    assert sizes[0].gap.value == pytest.approx(0.015)


def test_keys_that_sizes_pool_besides_their_seeds_are_named() -> None:
    alike = [trial(1, 0.7, hidden=8), trial(2, 0.8, hidden=16, seed=1)]
    assert summary.pooling_note(alike) == ""
    assert summary.pooling_note([trial(1, 0.7, hidden=8, layers=1), trial(2, 0.7, hidden=8, layers=1)]) == ""
    mixed = [trial(1, 0.7, hidden=8, layers=1, dropout=0.1), trial(2, 0.7, hidden=8, layers=2, dropout=0.2)]
    assert summary.pooling_note(mixed).startswith("Trials of one size also differ in layers and dropout, ")


def test_a_caution_names_keys_that_change_the_validation_rows() -> None:
    def cropped(number: int, length: int) -> Trial:
        return replace(trial(number, 0.7), parameters={"crop.length": length, "tokenizer.k": number})

    assert summary.cautions([cropped(1, 60), cropped(2, 60)]) == []
    (caution,) = summary.cautions([cropped(1, 60), cropped(2, 90)])
    assert caution.startswith("crop.length decides which rows validation has")


def test_the_number_of_weights_has_a_column_if_it_is_known() -> None:
    trials = [replace(trial(1, 0.7, hidden=8), weights=1234), trial(2, None, state="failed", hidden=4)]
    column = summary.header(trials, "auroc").index("weights")
    assert [row[column] for row in summary.rows(trials, "auroc")] == [1234, "–"]
    assert tables.table(trials)["weights"].to_pylist() == [1234, None]
    assert "weights" not in summary.header(trials[1:], "auroc")
    assert "weights" not in summary.header(trials, "auroc", weights=False)
    assert len(summary.rows(trials, "auroc", weights=False)[0]) == column + 4
    assert Trial.of_json(trials[0].to_json()) == trials[0]
    assert Trial.of_json({name: value for name, value in trials[1].to_json().items() if name != "weights"}) == trials[1]


def test_rows_come_best_first_and_match_their_header() -> None:
    trials = [trial(1, 0.7, hidden=8), trial(2, None, state="failed", hidden=4), trial(3, 0.9, layers=2)]
    rows = summary.rows(trials, "auroc")
    assert [row[0] for row in rows] == [3, 1, 2]
    assert all(len(row) == len(summary.header(trials, "auroc")) for row in rows)


def test_a_reason_appears_once_with_all_of_its_trials() -> None:
    trials = [
        replace(trial(number, None, state="failed"), reason=reason) for number, reason in ((1, "a"), (2, "b"), (3, "a"))
    ]
    assert summary.reason_rows([*trials, trial(4, 0.5)]) == [("1, 3", "failed", "a"), ("2", "failed", "b")]
