from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from tuning.config import Domain, TuningConfig
from tuning.search.proposals import Optuna, at_random, proposals

BASE: dict[str, Any] = {"model": {"kind": "lstm"}, "training": {}}
SPACE = {
    "model.hidden": Domain(choice=[8, 16, 32, 64]),
    "model.layers": Domain(int=(1, 4)),
    "training.learning_rate": Domain(log_uniform=(1e-4, 1e-1)),
    "model.dropout": Domain(uniform=(0.1, 0.3)),
}


def test_random_configurations_follow_from_the_seed_and_lie_in_the_space() -> None:
    first, again, other = (list(islice(at_random(SPACE, BASE, seed), 50)) for seed in (0, 0, 1))
    assert first == again != other
    for one in first:
        assert one["model.hidden"] in (8, 16, 32, 64)
        assert one["model.layers"] in (1, 2, 3, 4)
        assert 1e-4 <= one["training.learning_rate"] <= 1e-1
        assert 0.1 <= one["model.dropout"] <= 0.3
    assert {one["model.layers"] for one in first} == {1, 2, 3, 4}
    assert sum(one["training.learning_rate"] < 1e-3 for one in first) > 8


def test_optuna_learns_where_the_figure_is_high_and_keeps_away_from_what_does_not_fit() -> None:
    source = Optuna({"model.hidden": Domain(int=(4, 1000))}, BASE, 0, 0)
    seen = []
    for _ in range(60):
        parameters = source.next()
        size = parameters["model.hidden"]
        seen.append(size)
        source.told(parameters, None if size > 500 else size / 1000, max(0.0, size / 500 - 1))
    late = seen[-20:]
    assert sum(250 < size <= 500 for size in late) > sum(size > 500 for size in late)
    assert max(size for size in seen if size <= 500) > 450


def test_optuna_goes_on_from_what_is_recorded_and_asks_for_what_is_open_no_second_time() -> None:
    before = Optuna(SPACE, BASE, 0, 0)
    recorded = [before.next() for _ in range(6)]
    source = Optuna(SPACE, BASE, 0, len(recorded))
    for number, parameters in enumerate(recorded):
        source.again(parameters)
        if number < 5:
            source.told(parameters, 0.5 + number / 100, 0.0)
    more = [source.next() for _ in range(6)]
    assert all(one not in recorded for one in more)
    source.told(recorded[5], 0.9, 0.0)


def test_a_configuration_that_failed_has_no_figure_and_does_no_harm() -> None:
    source = Optuna(SPACE, BASE, 0, 0)
    for _ in range(12):
        source.told(source.next(), None, 0.0)
    assert source.next()


@pytest.mark.parametrize("search", ["grid", "random", "optuna"])
def test_each_search_proposes_from_the_space(search: Any) -> None:
    config = TuningConfig(search=search, space={"model.hidden": Domain(grid=[8, 16])})
    found = proposals(config, BASE, 0).next()
    assert found is not None
    assert found["model.hidden"] in (8, 16)


def test_values_that_are_lists_can_be_chosen() -> None:
    source = Optuna({"negatives.match": Domain(choice=[["length"], ["length", "gc"]])}, BASE, 0, 0)
    assert source.next()["negatives.match"] in (["length"], ["length", "gc"])
