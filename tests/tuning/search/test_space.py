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
    searched = {key: Domain(grid=values) for key, values in zip(keys, lists, strict=True)}
    slow = [dict(zip(keys, values, strict=True)) for values in itertools.product(*lists)]
    assert list(space.all_of(searched, BASE)) == slow


def test_a_key_with_a_condition_is_searched_only_where_it_holds() -> None:
    searched = {
        "model.heads": Domain(grid=[2, 4], when={"model.kind": "transformer"}),
        "model.kind": Domain(grid=["lstm", "transformer"]),
        "model.bidirectional": Domain(grid=[True, False], when={"model.kind": ["lstm", "gru"]}),
    }
    assert list(space.all_of(searched, BASE)) == [
        {"model.kind": "lstm", "model.bidirectional": True},
        {"model.kind": "lstm", "model.bidirectional": False},
        {"model.kind": "transformer", "model.heads": 2},
        {"model.kind": "transformer", "model.heads": 4},
    ]


def test_a_condition_may_rest_on_what_is_not_searched_or_not_active() -> None:
    searched = {
        "model.heads": Domain(grid=[2], when={"model.kind": "transformer"}),
        "model.window": Domain(grid=[64], when={"model.heads": 2}),
        "model.layers": Domain(grid=[1, 2], when={"model.kind": "lstm"}),
    }
    assert list(space.all_of(searched, BASE)) == [{"model.layers": 1}, {"model.layers": 2}]


def test_conditions_in_a_circle_are_refused() -> None:
    searched = {
        "model.hidden": Domain(grid=[8], when={"model.layers": 1}),
        "model.layers": Domain(grid=[1], when={"model.hidden": 8}),
    }
    with pytest.raises(UsageError, match=r"model\.hidden waits for itself"):
        space.ordered(searched)


def test_only_active_keys_are_drawn() -> None:
    asked = []

    def draw(key: str, domain: Domain) -> Any:
        asked.append(key)
        return (domain.every or [0.5])[-1]

    searched = {
        "model.kind": Domain(choice=["transformer", "gru"]),
        "model.heads": Domain(choice=[2], when={"model.kind": "transformer"}),
        "model.dropout": Domain(uniform=(0, 0.9)),
    }
    assert space.drawn(searched, BASE, draw) == {"model.kind": "gru", "model.dropout": 0.5}
    assert asked == ["model.kind", "model.dropout"]


def test_a_range_of_a_whole_number_key_is_drawn_in_whole_numbers() -> None:
    searched = {"model.hidden": Domain(log_uniform=(8, 64)), "model.dropout": Domain(uniform=(0, 0.4))}
    found = space.drawn(searched, BASE, lambda key, _: 16.14 if key == "model.hidden" else 0.25)
    assert found == {"model.hidden": 16, "model.dropout": 0.25}
    assert type(found["model.hidden"]) is int


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


@pytest.mark.parametrize("searched", DATASET_SPACES)
def test_the_datasets_are_what_configurations_leave_when_all_other_keys_are_forgotten(
    searched: dict[str, Domain],
) -> None:
    slow: list[dict[str, Any]] = []
    for chosen in space.all_of(searched, BASE):
        part = {key: value for key, value in chosen.items() if key.startswith(("tokenizer", "crop"))}
        slow += [part] if part not in slow else []
    found = list(space.datasets(searched, BASE))
    assert len(found) == len(slow)
    assert all(part in found for part in slow)


def test_what_datasets_do_not_wait_for_need_not_be_counted() -> None:
    searched = {"training.learning_rate": Domain(log_uniform=(1e-4, 1e-2)), "tokenizer.k": Domain(grid=[3, 4])}
    assert list(space.datasets(searched, BASE)) == [{"tokenizer.k": 3}, {"tokenizer.k": 4}]
    waiting = searched | {"tokenizer.k": Domain(grid=[3, 4], when={"training.learning_rate": 1e-3})}
    with pytest.raises(UsageError, match=r"tokenizer\.k waits for training\.learning_rate, which is a range"):
        list(space.datasets(waiting, BASE))
