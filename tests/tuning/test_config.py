from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cluster.experiment import Experiment, load
from pipelines.config import validate
from pipelines.errors import UsageError
from tuning.config import DEFAULT_SPACE, Domain, TuningConfig


def wrong(**tuning: Any) -> str:
    with pytest.raises(UsageError) as caught:
        validate(Experiment, {"tuning": tuning}, "e.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("tuning", "told"),
    [
        ({"space": {"model.hiden": [8]}}, "model.hiden is no key of the configuration; did you mean model.hidden?"),
        ({"space": {"learning_rate": [0.1]}}, "did you mean training.learning_rate?"),
        ({"space": {"nothing.at_all": [1]}}, "sections that can be searched: model, training, negatives, crop"),
        ({"space": {"model.hidden": [8, 2]}}, "model.hidden 2: input should be greater than or equal to 4"),
        ({"space": {"model.kind": ["lstn"]}}, "model.kind 'lstn': input should be 'lstm', 'gru' or 'transformer'"),
        ({"space": {"training.seed": [1, 2]}}, "set tuning.seeds"),
        ({"space": {"training.workers": [1, 2]}}, "training.workers does not change what is learnt"),
        ({"space": {"model.hidden": {"chocie": [8]}}}, "did you mean choice?"),
        ({"space": {"model.hidden": {"choice": [8], "int": [8, 9]}}}, "not choice and int"),
        ({"space": {"model.hidden": {}}}, "not none"),
        ({"space": {"model.dropout": {"uniform": [0.4, 0.1]}}}, "give the lower bound first"),
        ({"space": {"training.learning_rate": {"log_uniform": [0, 0.1]}}}, "begins above 0"),
        ({"space": {"model.hidden": {"int": [2, 8]}}}, "model.hidden 2"),
        ({"space": {"model.hidden": {"grid": [8], "when": {"model.knid": "lstm"}}}}, "did you mean model.kind?"),
        ({"space": {"crop.length": {"uniform": [10, 90]}}}, "crop.length"),
        ({"space": {"model.dropout": {"uniform": [0, 0.4]}}, "search": "grid"}, "a range, which a grid cannot"),
        ({"space": {}}, "at least 1 item"),
        ({"device_memory": "lots"}, "lots: not a size of memory"),
        ({"trails": 3}, "did you mean trials?"),
    ],
)
def test_what_cannot_be_searched_is_one_line_with_the_mend(tuning: dict[str, Any], told: str) -> None:
    assert told in wrong(**tuning)
    assert "\n" not in wrong(**tuning)


def test_a_bare_list_is_a_grid_and_text_that_is_a_number_becomes_one() -> None:
    space = TuningConfig.model_validate(
        {"space": {"model.hidden": [8, 16], "training.learning_rate": {"log_uniform": ["1e-4", "1e-2"]}}}
    ).searched
    assert space["model.hidden"].every == [8, 16]
    assert space["training.learning_rate"].log_uniform == (1e-4, 1e-2)


def test_a_space_is_given_by_flags(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text("sources: []\n")
    flags = ["model.hidden=[8, 16]", "model.layers={int: [1, 3]}"]
    space = load(path, {("tuning", "space"): flags}).tuning.searched
    assert space == {"model.hidden": Domain(grid=[8, 16]), "model.layers": Domain(int=(1, 3))}
    with pytest.raises(UsageError, match="write KEY=VALUES"):
        load(path, {("tuning", "space"): ["model.hidden"]})


def test_what_is_resolved_says_the_same_again() -> None:
    given = {"space": {"model.layers": {"int": [1, 3], "when": {"model.kind": "lstm"}}}, "search": "random"}
    config = validate(Experiment, {"tuning": given}, "e")
    assert validate(Experiment, config.resolved(), "e").tuning == config.tuning


def test_without_a_space_sizes_rate_and_dropout_are_searched_and_by_a_grid_the_sizes() -> None:
    assert TuningConfig().searched == DEFAULT_SPACE
    assert set(TuningConfig(search="grid").searched) == {"model.embedding", "model.hidden"}
    assert TuningConfig().most == 16
    assert TuningConfig(search="grid").most is None
