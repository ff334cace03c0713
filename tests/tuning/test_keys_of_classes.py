"""Trials of a study on sequences with classes."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.dataset.manifest import classes
from pipelines.errors import UsageError
from tests.tuning.conftest import BASE
from tuning import keys

MANIFEST: dict[str, Any] = {"config": {"task": "classify", "classes": ["a", "b", "c"]}}


def test_the_model_of_a_trial_has_a_logit_of_each_class() -> None:
    base = keys.with_classes({**BASE, "task": "classify"}, [classes(MANIFEST)])
    model, _ = keys.trial_configs(base, {"model.hidden": 16}, 0, 1)
    assert (model.outputs, model.hidden) == (3, 16)
    with pytest.raises(UsageError, match=r"model.outputs 4: the dataset needs 3"):
        keys.trial_configs(base, {"model.outputs": 4}, 0, 1)


def test_datasets_without_classes_leave_the_sections_as_they_are() -> None:
    assert keys.with_classes(BASE, [classes({"config": {}})]) is BASE
