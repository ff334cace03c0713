from __future__ import annotations

import math

import pytest

from tuning.config import Domain
from tuning.results import importance
from tuning.trial import Trial


def trial(number: int, auroc: float, **parameters: object) -> Trial:
    values = {f"model.{key}": value for key, value in parameters.items()}
    return Trial(number, number, f"{number:064d}", 0, values, "finished", validation_auroc=auroc)


def test_importance_finds_the_key_that_matters() -> None:
    space = {"model.hidden": Domain(grid=[8, 16, 32, 64]), "model.layers": Domain(int=(1, 4))}
    trials = [
        trial(4 * row + column, 0.5 + math.log2(hidden) / 20, hidden=hidden, layers=layers)
        for row, hidden in enumerate((8, 16, 32, 64))
        for column, layers in enumerate((1, 2, 3, 4))
    ]
    shares = importance.importance(trials, space, "auroc")
    assert next(iter(shares)) == "model.hidden"
    assert shares["model.hidden"] > 0.9
    assert sum(shares.values()) == pytest.approx(1)
    assert importance.importance(trials[:9], space, "auroc") == {}


def test_fewer_than_five_configurations_for_each_key_have_no_importance() -> None:
    names = ("hidden", "layers", "embedding")
    space = {f"model.{name}": Domain(int=(1, 128)) for name in names}
    trials = [trial(n, n / 10, hidden=8 * n, layers=n % 3 + 1, embedding=n % 4 + 4) for n in range(1, 16)]
    assert len(importance.importance(trials, space, "auroc")) == 3
    assert importance.importance(trials[:14], space, "auroc") == {}


def test_the_caveat_names_how_many_configurations_there_are() -> None:
    trials = [trial(number, number / 10, hidden=8 * number) for number in range(1, 12)]
    assert "from 11 configurations" in importance.caveat(trials, "auroc")


def test_a_single_key_has_no_importance() -> None:
    space = {"model.hidden": Domain(int=(4, 128)), "model.layers": Domain(int=(1, 1))}
    trials = [trial(number, number / 10, hidden=8 * number, layers=1) for number in range(1, 15)]
    assert importance.importance(trials, space, "auroc") == {}


def test_keys_that_some_configurations_lack_have_no_importance() -> None:
    space = {key: Domain(int=(1, 128)) for key in ("model.hidden", "model.layers", "model.heads")}
    trials = [trial(number, number / 10, hidden=8 * number, layers=number % 3 + 1) for number in range(1, 12)]
    trials.append(trial(12, 0.8, hidden=64, layers=1, heads=2))
    assert importance.importance(trials, space, "auroc").keys() == {"model.hidden", "model.layers"}


def test_shares_are_shown_in_percent() -> None:
    assert importance.rows({"model.hidden": 0.8264}) == [("model.hidden", "82.6%")]
