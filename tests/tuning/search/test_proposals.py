from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from tuning.config import Domain, TuningConfig
from tuning.search.proposals import OptunaProposals, make_proposals, random_configurations

BASE: dict[str, Any] = {"model": {"kind": "lstm"}, "training": {}}
SPACE = {
    "model.hidden": Domain(choice=[8, 16, 32, 64]),
    "model.layers": Domain(int=(1, 4)),
    "training.learning_rate": Domain(log_uniform=(1e-4, 1e-1)),
    "model.dropout": Domain(uniform=(0.1, 0.3)),
}


def test_random_configurations_follow_from_the_seed_and_are_in_the_space() -> None:
    first, again, other = (list(islice(random_configurations(SPACE, BASE, seed), 50)) for seed in (0, 0, 1))
    assert first == again != other
    for parameters in first:
        assert parameters["model.hidden"] in (8, 16, 32, 64)
        assert parameters["model.layers"] in (1, 2, 3, 4)
        assert 1e-4 <= parameters["training.learning_rate"] <= 1e-1
        assert 0.1 <= parameters["model.dropout"] <= 0.3
    assert {parameters["model.layers"] for parameters in first} == {1, 2, 3, 4}
    assert sum(parameters["training.learning_rate"] < 1e-3 for parameters in first) > 8


def test_optuna_finds_high_values_and_avoids_configurations_that_do_not_fit() -> None:
    source = OptunaProposals({"model.hidden": Domain(int=(4, 1000))}, BASE, 0, 0)
    sizes = []
    for _ in range(60):
        parameters = source.next()
        size = parameters["model.hidden"]
        sizes.append(size)
        source.observe(parameters, None if size > 500 else size / 1000, max(0.0, size / 500 - 1))
    late = sizes[-20:]
    assert sum(250 < size <= 500 for size in late) > sum(size > 500 for size in late)
    assert max(size for size in sizes if size <= 500) > 450


def test_optuna_resumes_from_recorded_results_and_proposes_no_running_configuration_again() -> None:
    before = OptunaProposals(SPACE, BASE, 0, 0)
    recorded = [before.next() for _ in range(6)]
    source = OptunaProposals(SPACE, BASE, 0, len(recorded))
    for number, parameters in enumerate(recorded):
        source.register(parameters)
        if number < 5:
            source.observe(parameters, 0.5 + number / 100, 0.0)
    more = [source.next() for _ in range(6)]
    assert all(parameters not in recorded for parameters in more)
    source.observe(recorded[5], 0.9, 0.0)


def test_a_failed_configuration_without_a_metric_does_no_harm() -> None:
    source = OptunaProposals(SPACE, BASE, 0, 0)
    for _ in range(12):
        source.observe(source.next(), None, 0.0)
    assert source.next()


@pytest.mark.parametrize("search", ["grid", "random", "optuna"])
def test_each_search_proposes_from_the_space(search: Any) -> None:
    config = TuningConfig(search=search, space={"model.hidden": Domain(grid=[8, 16])})
    parameters = make_proposals(config, BASE, 0).next()
    assert parameters is not None
    assert parameters["model.hidden"] in (8, 16)


def test_a_choice_may_be_a_list() -> None:
    source = OptunaProposals({"negatives.match": Domain(choice=[["length"], ["length", "gc"]])}, BASE, 0, 0)
    assert source.next()["negatives.match"] in (["length"], ["length", "gc"])
