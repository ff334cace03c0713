from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import UsageError
from training.evaluation import model_names


def test_a_single_model_is_called_model() -> None:
    assert model_names.short_names([Path("run/bundle")]) == ["model"]


def test_models_are_named_by_the_last_parts_of_their_paths_that_differ() -> None:
    assert model_names.short_names([Path("a/bundle"), Path("b/bundle")]) == ["a", "b"]
    assert model_names.short_names([Path("a/run/bundle"), Path("b/run/bundle")]) == ["a/run", "b/run"]
    assert model_names.short_names([Path("best"), Path("runs/last")]) == ["best", "last"]


def test_paths_that_only_differ_in_the_folder_bundle_keep_their_whole_names() -> None:
    names = model_names.short_names([Path("/a"), Path("/a/bundle")])
    assert names == ["/a", "/a/bundle"]


def test_a_bundle_named_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="named twice"):
        model_names.short_names([Path("a/bundle"), Path("a/../a/bundle")])


def test_addresses_get_distinct_names_too() -> None:
    assert model_names.short_names(["s3://models/one/bundle", "s3://models/two/bundle/"]) == ["one", "two"]
    with pytest.raises(UsageError, match="named twice"):
        model_names.short_names(["s3://models/one/bundle", "s3://models/one/bundle/"])


@pytest.mark.parametrize(
    ("names", "suffix"),
    [
        (["model"], ""),
        (["run", "next"], ".run.next"),
        (["a/run", "../b run"], ".a-run.b-run.98657e62"),
        (["é", "b"], ".model.b.07d2ce9a"),
    ],
)
def test_a_file_of_several_models_is_named_for_all_of_them(names: list[str], suffix: str) -> None:
    assert model_names.file_suffix(names) == suffix


def test_the_names_of_many_models_are_a_number_and_a_digest() -> None:
    names = [f"a-model-with-a-long-name-{number}" for number in range(12)]
    assert model_names.file_suffix(names).startswith(".12-models-")
    assert model_names.file_suffix(names) != model_names.file_suffix(names[::-1])
