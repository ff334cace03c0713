from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cluster.experiment import Experiment, load
from pipelines.config import validate
from pipelines.errors import UsageError
from training.tasks import Task
from tuning import keys
from tuning.config import DEFAULT_SPACE, Domain, TuningConfig
from tuning.search.proposals import make_proposals


def error_of(**tuning: Any) -> str:
    with pytest.raises(UsageError) as caught:
        validate(Experiment, {"tuning": tuning}, "e.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("tuning", "message"),
    [
        ({"space": {"model.hiden": [8]}}, "model.hiden is not a key of the configuration; did you mean model.hidden?"),
        ({"space": {"learning_rate": [0.1]}}, "did you mean training.learning_rate?"),
        ({"space": {"nothing.at_all": [1]}}, "sections that can be searched: model, training, negatives, crop"),
        ({"space": {"model.hidden": [8, 2]}}, "model.hidden 2: too small; give 4 or more"),
        ({"space": {"model.kind": ["lstn"]}}, "model.kind 'lstn': unknown kind of model; did you mean lstm?"),
        ({"space": {"training.seed": [1, 2]}}, "set tuning.seeds"),
        ({"space": {"training.workers": [1, 2]}}, "training.workers does not change what is learnt"),
        ({"space": {"model.hidden": {"chocie": [8]}}}, "did you mean choice?"),
        ({"space": {"model.hidden": {"choice": [8], "int": [8, 9]}}}, "not choice and int"),
        ({"space": {"model.hidden": {}}}, "not none"),
        ({"space": {"model.dropout": {"uniform": [0.4, 0.1]}}}, "give the lower bound first"),
        ({"space": {"training.learning_rate": {"log_uniform": [0, 0.1]}}}, "must begin above 0"),
        ({"space": {"model.hidden": {"int": [2, 8]}}}, "model.hidden 2"),
        ({"space": {"model.hidden": {"int": [8]}}}, "tuning.space.model.hidden.int: too few values: give 2"),
        ({"space": {"model.hidden": {"int": [8, 9, 9]}}}, "tuning.space.model.hidden.int: too many values: give 2"),
        ({"space": {"model.hidden": {"int": ["a", 9]}}}, "tuning.space.model.hidden.int.0: 'a': give a whole number"),
        ({"space": {"model.hidden": {"log_uniform": [8.5, 64]}}}, "model.hidden 8.5; give a whole number"),
        ({"space": {"model.bidirectional": {"uniform": [0, 1]}}}, "model.bidirectional takes no numbers"),
        ({"space": {"model.bidirectional": {"int": [0, 1]}}}, "model.bidirectional takes no numbers"),
        ({"space": {"tokenizer.k": {"log_uniform": [3, 6]}}}, "give a list or int"),
        ({"space": {"model.hidden": {"grid": [8], "when": {"model.knid": "lstm"}}}}, "did you mean model.kind?"),
        ({"space": {"crop.length": {"uniform": [10, 90]}}}, "crop.length"),
        ({"space": {"model.dropout": {"uniform": [0, 0.4]}}, "search": "grid"}, "a range, which a grid cannot"),
        ({"space": {}}, "e.yaml: tuning.space: empty: give 1 or more"),
        ({"device_memory": "lots"}, "tuning.device_memory: 'lots': not a memory size; write it like 24GiB"),
        ({"configuration": 3}, "did you mean configurations?"),
        ({"trials": 3}, "write tuning.configurations"),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused_in_one_line_with_the_fix(
    tuning: dict[str, Any], message: str
) -> None:
    assert message in error_of(**tuning)
    assert "\n" not in error_of(**tuning)


def test_a_bare_list_is_a_grid_and_numbers_in_text_become_numbers() -> None:
    space = TuningConfig.model_validate(
        {"space": {"model.hidden": [8, 16], "training.learning_rate": {"log_uniform": ["1e-4", "1e-2"]}}}
    ).search_space
    assert list(space["model.hidden"].all_values or ()) == [8, 16]
    assert space["training.learning_rate"].log_uniform == (1e-4, 1e-2)


def test_a_range_of_a_whole_number_key_has_whole_numbers_and_can_be_enumerated_if_it_is_uniform() -> None:
    values = {"model.hidden": {"uniform": [8, 11], "when": {"model.kind": "gru"}}, "tokenizer.k": {"uniform": [3, 4]}}
    space = TuningConfig.model_validate({"space": values, "search": "grid"}).search_space
    assert space["model.hidden"] == Domain(int=(8, 11), when={"model.kind": "gru"})
    assert list(space["tokenizer.k"].all_values or ()) == [3, 4]


@pytest.mark.parametrize("search", ["random", "optuna"])
def test_each_search_draws_whole_numbers_from_a_logarithmic_range_and_recognizes_them(search: str) -> None:
    config = TuningConfig.model_validate({"space": {"model.hidden": {"log_uniform": [8, 64]}}, "search": search})
    source = make_proposals(config, {"training": {}}, 0)
    drawn = [source.next() for _ in range(20)]
    for parameters in drawn:
        assert parameters is not None
        assert type(parameters["model.hidden"]) is int
        assert 8 <= parameters["model.hidden"] <= 64
        source.observe(parameters, 0.5, 0.0)
    resumed = make_proposals(config, {"training": {}}, 20)
    for parameters in drawn:
        assert parameters is not None
        resumed.register(parameters)
        resumed.observe(parameters, 0.5, 0.0)
    assert resumed.next() is not None


def test_a_range_may_have_one_value() -> None:
    assert list(Domain(int=(3, 3)).all_values or ()) == [3]
    assert Domain(uniform=(0.1, 0.1)).values_to_check == (0.1, 0.1)


def test_a_tokenizer_from_elsewhere_replaces_the_described_one_and_null_keeps_it() -> None:
    base = {"tokenizer": {"k": 6, "stride": 3, "tail": "anchor", "vocabulary": "complete", "min_count": 1}}
    assert keys.with_parameters(base, {"tokenizer.from": "/a"})["tokenizer"] == {"from": "/a"}
    assert keys.with_parameters(base, {"tokenizer.from": None, "tokenizer.k": 4})["tokenizer"]["k"] == 4
    assert keys.with_parameters(base, {"tokenizer.from": "/a", "tokenizer.k": 4})["tokenizer"] == {"from": "/a", "k": 4}
    assert base["tokenizer"]["k"] == 6


def test_a_space_can_be_set_by_flags(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text("sources: []\n")
    flags = ["model.hidden=[8, 16]", "model.layers={int: [1, 3]}"]
    space = load(path, {("tuning", "space"): flags}).tuning.search_space
    assert space == {"model.hidden": Domain(grid=[8, 16]), "model.layers": Domain(int=(1, 3))}
    with pytest.raises(UsageError, match="write KEY=VALUES"):
        load(path, {("tuning", "space"): ["model.hidden"]})
    with pytest.raises(UsageError, match=r"model\.hidden is given twice"):
        load(path, {("tuning", "space"): ["model.hidden=[8]", "model.hidden=[16]"]})


def test_a_resolved_configuration_resolves_to_itself() -> None:
    values = {"space": {"model.layers": {"int": [1, 3], "when": {"model.kind": "lstm"}}}, "search": "random"}
    config = validate(Experiment, {"tuning": values}, "e")
    assert validate(Experiment, config.resolved(), "e").tuning == config.tuning


def test_the_default_space_has_sizes_rate_and_dropout_and_that_of_a_grid_the_sizes() -> None:
    assert TuningConfig().search_space == DEFAULT_SPACE
    assert set(TuningConfig(search="grid").search_space) == {"model.embedding", "model.hidden"}
    assert TuningConfig().max_configurations == 16
    assert TuningConfig(search="grid").max_configurations is None


def test_a_study_of_classes_has_the_metrics_of_recognition() -> None:
    task = Task("classify", classes=("a", "b", "c"))
    assert TuningConfig(metric="mcc").for_task(task).metric == "mcc"
    with pytest.raises(UsageError, match="not a metric of the dataset's task"):
        TuningConfig(metric="exon_f1").for_task(task)
