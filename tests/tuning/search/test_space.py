from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import UsageError
from tuning.config import Domain
from tuning.search import space

BASE: dict[str, Any] = {"model": {"kind": "lstm"}, "training": {}}


@given(st.lists(st.lists(st.integers(4, 60), min_size=1, max_size=4, unique=True), min_size=1, max_size=3))
def test_a_grid_is_the_product_of_its_lists(lists: list[list[int]]) -> None:
    keys = ["model.embedding", "model.hidden", "model.stem"][: len(lists)]
    search_space = {key: Domain(grid=values) for key, values in zip(keys, lists, strict=True)}
    expected = [dict(zip(keys, values, strict=True)) for values in itertools.product(*lists)]
    assert list(space.all_configurations(search_space, BASE)) == expected


def test_a_key_is_searched_only_where_its_condition_holds() -> None:
    search_space = {
        "model.heads": Domain(grid=[2, 4], when={"model.kind": "transformer"}),
        "model.kind": Domain(grid=["lstm", "transformer"]),
        "model.bidirectional": Domain(grid=[True, False], when={"model.kind": ["lstm", "gru"]}),
    }
    assert list(space.all_configurations(search_space, BASE)) == [
        {"model.kind": "lstm", "model.bidirectional": True},
        {"model.kind": "lstm", "model.bidirectional": False},
        {"model.kind": "transformer", "model.heads": 2},
        {"model.kind": "transformer", "model.heads": 4},
    ]


def test_a_condition_may_name_a_key_that_is_not_searched_or_not_active() -> None:
    search_space = {
        "model.heads": Domain(grid=[2], when={"model.kind": "transformer"}),
        "model.window": Domain(grid=[64], when={"model.heads": 2}),
        "model.layers": Domain(grid=[1, 2], when={"model.kind": "lstm"}),
    }
    assert list(space.all_configurations(search_space, BASE)) == [{"model.layers": 1}, {"model.layers": 2}]


def test_conditions_that_form_a_cycle_are_refused() -> None:
    search_space = {
        "model.hidden": Domain(grid=[8], when={"model.layers": 1}),
        "model.layers": Domain(grid=[1], when={"model.hidden": 8}),
    }
    with pytest.raises(UsageError, match=r"conditions of model\.hidden form a cycle"):
        space.ordered_keys(search_space)


def test_only_active_keys_are_drawn() -> None:
    drawn = []

    def draw(key: str, domain: Domain) -> Any:
        drawn.append(key)
        return (domain.all_values or [0.5])[-1]

    search_space = {
        "model.kind": Domain(choice=["transformer", "gru"]),
        "model.heads": Domain(choice=[2], when={"model.kind": "transformer"}),
        "model.dropout": Domain(uniform=(0, 0.9)),
    }
    assert space.sample(search_space, BASE, draw) == {"model.kind": "gru", "model.dropout": 0.5}
    assert drawn == ["model.kind", "model.dropout"]


def test_a_range_of_a_whole_number_key_is_drawn_in_whole_numbers() -> None:
    search_space = {"model.hidden": Domain(log_uniform=(8, 64)), "model.dropout": Domain(uniform=(0, 0.4))}
    parameters = space.sample(search_space, BASE, lambda key, _: 16.14 if key == "model.hidden" else 0.25)
    assert parameters == {"model.hidden": 16, "model.dropout": 0.25}
    assert type(parameters["model.hidden"]) is int


DATASET_SPACES: list[dict[str, Domain]] = [
    {"model.kind": Domain(grid=["lstm", "gru"]), "tokenizer.k": Domain(grid=[3, 4], when={"model.kind": "gru"})},
    {
        "tokenizer.stride": Domain(grid=[1, 2], when={"tokenizer.k": [4, 5]}),
        "tokenizer.k": Domain(int=(3, 5), when={"model.layers": 2}),
        "model.layers": Domain(grid=[1, 2], when={"model.kind": "lstm"}),
        "model.kind": Domain(grid=["lstm", "gru"]),
        "model.hidden": Domain(grid=[8, 16]),
        "crop.length": Domain(grid=[60, 90], when={"model.kind": "gru"}),
    },
    {"model.hidden": Domain(grid=[8])},
]


@pytest.mark.parametrize("search_space", DATASET_SPACES)
def test_dataset_parameters_are_those_of_all_configurations_without_the_other_keys(
    search_space: dict[str, Domain],
) -> None:
    expected: list[dict[str, Any]] = []
    for chosen in space.all_configurations(search_space, BASE):
        part = {key: value for key, value in chosen.items() if key.startswith(("tokenizer", "crop"))}
        expected += [part] if part not in expected else []
    combinations = list(space.dataset_parameters(search_space, BASE))
    assert len(combinations) == len(expected)
    assert all(part in combinations for part in expected)


def test_keys_that_datasets_do_not_depend_on_may_be_ranges() -> None:
    search_space = {"training.learning_rate": Domain(log_uniform=(1e-4, 1e-2)), "tokenizer.k": Domain(grid=[3, 4])}
    assert list(space.dataset_parameters(search_space, BASE)) == [{"tokenizer.k": 3}, {"tokenizer.k": 4}]
    dependent = search_space | {"tokenizer.k": Domain(grid=[3, 4], when={"training.learning_rate": 1e-3})}
    with pytest.raises(UsageError, match=r"tokenizer\.k depends on training\.learning_rate, which is a range"):
        list(space.dataset_parameters(dependent, BASE))
