"""Models that come with raygene: their names, and that the files in the repository are whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import training
from pipelines.errors import BundleError
from tests.training import small_structure
from training.bundle import digests, included_models
from training.bundle.bundle import CARD, DIGESTED_FILES
from training.bundle.digests import CONFIG
from training.bundle.structure_card import LEVELS

ROOT = Path(__file__).parents[3]
NAMES = tuple(included_models.catalogue())
LARGEST = 5_000_000


def test_a_yeast_and_a_plant_come_along() -> None:
    assert {"yeast", "plant"} <= set(NAMES)


def test_every_folder_of_models_is_in_the_catalogue_and_the_reverse() -> None:
    assert {path.name for path in included_models.FOLDER.iterdir() if path.is_dir()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_its_files_are_those_of_the_catalogue(name: str) -> None:
    model = included_models.catalogue()[name]
    assert set(model.files) == {*DIGESTED_FILES, CONFIG, CARD} == {path.name for path in model.directory.iterdir()}
    digests.check(model.directory, model.files, name)
    assert model.size < LARGEST


@pytest.mark.parametrize("name", NAMES)
def test_no_file_holds_a_path_of_the_machine_that_made_it(name: str) -> None:
    for path in included_models.directory(name).iterdir():
        assert not re.search(rb"/(tmp|home|root|work|Users|mnt|data)/", path.read_bytes()), path


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_was_trained_and_measured_on(name: str) -> None:
    model = included_models.catalogue()[name]
    described = model.to_json()
    assert (ROOT / model.experiment).is_file()
    assert described["task"] == "structure"
    assert described["train"]["genes"] > 1000
    assert all(measured["f1"].keys() == LEVELS.keys() and measured["on"] in model.card() for measured in model.measured)
    assert model.experiment in model.card()
    assert f"raygene annotate {name} --fasta" in model.card()
    assert not model.card().startswith("---")


def test_a_name_is_loaded_and_a_path_of_that_name_is_taken_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert included_models.named("yeast") == "yeast"
    assert training.load("yeast").config["task"] == "structure"
    own = small_structure.saved(tmp_path / "yeast")
    assert included_models.named("yeast") is None
    assert included_models.hidden_by_path("yeast")
    assert training.load("yeast").fingerprint == training.load(own).fingerprint


def test_a_path_object_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError) as refused:
        training.load(Path("yeast"))
    assert "no model bundle there" in str(refused.value)


def test_a_link_to_nothing_is_a_path_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "yeast").symlink_to(tmp_path / "missing")
    with pytest.raises(BundleError, match="no model bundle there"):
        training.load("yeast")


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError) as refused:
        training.load("yeats")
    assert str(refused.value) == (
        "yeats: no model of this name comes with raygene, and there is no such path: "
        f"name one of {', '.join(NAMES)}, or a path such as RUN/bundle"
    )


def test_another_folder_of_that_name_is_refused_with_the_path_of_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "yeast").mkdir()
    with pytest.raises(BundleError) as refused:
        training.load("yeast")
    assert str(included_models.directory("yeast")) in refused.value.fix
