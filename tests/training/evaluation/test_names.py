from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import UsageError
from training.evaluation import names


def test_a_single_model_needs_no_name_of_its_own() -> None:
    assert names.of([Path("run/bundle")]) == ["model"]


def test_models_are_called_by_the_last_parts_of_their_places_that_tell_them_apart() -> None:
    assert names.of([Path("a/bundle"), Path("b/bundle")]) == ["a", "b"]
    assert names.of([Path("a/run/bundle"), Path("b/run/bundle")]) == ["a/run", "b/run"]
    assert names.of([Path("best"), Path("runs/last")]) == ["best", "last"]


def test_places_that_only_differ_in_the_folder_bundle_keep_their_whole_names() -> None:
    found = names.of([Path("/a"), Path("/a/bundle")])
    assert found == ["/a", "/a/bundle"]


def test_a_bundle_named_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="named twice"):
        names.of([Path("a/bundle"), Path("a/../a/bundle")])


def test_addresses_are_told_apart_too() -> None:
    assert names.of(["s3://models/one/bundle", "s3://models/two/bundle/"]) == ["one", "two"]
    with pytest.raises(UsageError, match="named twice"):
        names.of(["s3://models/one/bundle", "s3://models/one/bundle/"])
