"""Where datasets are built: what is the same for a directory and a store, and what a store adds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipelines.dataset import targets
from pipelines.dataset.manifest import MANIFEST, read_manifest
from pipelines.dataset.targets import Target
from pipelines.errors import BusyError, DatasetError, ResourceError
from pipelines.progress import Silent
from pipelines.stores import lease
from pipelines.stores.staging import Staging
from pipelines.stores.store import Store
from pipelines.tokens.tokenizer import Tokenizer
from tests.pipelines.dataset.small_dataset import write_dataset


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("targets") / "dataset")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "bucket" / "dataset"


@pytest.fixture(params=["directory", "store"])
def target(request: pytest.FixtureRequest, place: Path) -> Target:
    return targets.target(place if request.param == "directory" else Store(f"local://{place}"))


@pytest.fixture
def stored(place: Path) -> Target:
    return targets.target(Store(f"local://{place}"))


def document_of(built: Path) -> dict[str, Any]:
    """Its manifest without the digest, which a commit adds."""
    document = json.loads((built / MANIFEST).read_text())
    document.pop("digest", None)
    return document


def fill(target: Target, built: Path) -> Staging:
    """Have a task write the files of a dataset."""
    staging = target.staging(document_of(built)["fingerprint"])
    with staging.task_folder() as folder:
        shutil.copytree(built, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.json"))
    staging.write_record("00000.json", "{}")
    return staging


def build(target: Target, built: Path) -> None:
    with target.hold():
        target.commit(fill(target, built), document_of(built), Tokenizer.load(built))


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_finished_dataset_is_whole_and_nothing_else_is_left(target: Target, built: Path, place: Path) -> None:
    build(target, built)
    assert names(place) == names(built)
    for name in names(built):
        if name != MANIFEST:
            assert (place / name).read_bytes() == (built / name).read_bytes()
    assert read_manifest(place)["files"] == read_manifest(built)["files"]
    with target.hold():
        assert target.existing(document_of(built)["fingerprint"], Silent()) == read_manifest(place)
        assert target.existing("0" * 64, Silent()) is None


def test_a_missing_part_is_noticed(target: Target, built: Path, place: Path) -> None:
    build(target, built)
    (place / document_of(built)["files"][0]["path"]).unlink()
    with target.hold():
        assert target.existing(document_of(built)["fingerprint"], Silent()) is None


def test_another_dataset_is_replaced(target: Target, built: Path, place: Path) -> None:
    (place / "split=train").mkdir(parents=True)
    (place / "split=train" / "part-00099.parquet").write_bytes(b"of the earlier dataset")
    shutil.copy(built / MANIFEST, place)
    build(target, built)
    assert names(place) == names(built)


@pytest.mark.parametrize("name", ["notes.txt", "split=train/notes.txt", "other/part-00000.parquet"])
def test_files_of_others_are_left_alone(target: Target, built: Path, place: Path, name: str) -> None:
    shutil.copytree(built, place)
    (place / name).parent.mkdir(exist_ok=True)
    (place / name).write_text("")
    for refuse in (target.check, target.hold().__enter__):
        with pytest.raises(DatasetError, match=f"holds {name.split('/part')[0]}.*, which a rebuild would remove"):
            refuse()
    (place / MANIFEST).unlink()
    for refuse in (target.check, target.hold().__enter__):
        with pytest.raises(DatasetError, match="holds files that are not a raygene dataset"):
            refuse()
    assert not (place / lease.NAME).exists()


def test_one_build_at_a_time(target: Target) -> None:
    with target.hold(), pytest.raises(BusyError):
        target.hold().__enter__()


def test_a_killed_build_goes_on_from_its_records(target: Target, built: Path) -> None:
    with target.hold():
        fill(target, built)
    with target.hold():
        assert target.staging(document_of(built)["fingerprint"]).read_record("00000.json") == "{}"
        assert target.staging("0" * 64).read_record("00000.json") is None
        assert target.staging(document_of(built)["fingerprint"]).read_record("00000.json") is None


def test_an_earlier_dataset_stays_until_the_new_one_is_complete(stored: Target, built: Path, place: Path) -> None:
    build(stored, built)
    before = (place / MANIFEST).read_bytes()
    with stored.hold():
        fill(stored, built)
    assert (place / MANIFEST).read_bytes() == before


def test_no_reader_takes_a_mixture_for_a_dataset(
    stored: Target, built: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(stored, built)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Store, "copy", killed)
        with pytest.raises(KeyboardInterrupt):
            build(stored, built)
    assert not (place / MANIFEST).exists()
    build(stored, built)
    assert names(place) == names(built)


def test_a_part_that_a_task_wrote_and_that_is_gone_ends_the_build(stored: Target, built: Path, place: Path) -> None:
    with stored.hold():
        staging = fill(stored, built)
        next(place.glob(".building-*/split=*/*")).unlink()
        with pytest.raises(ResourceError, match="was written, and is not there: run the build again"):
            stored.commit(staging, document_of(built), Tokenizer.load(built))


def test_a_build_that_was_taken_over_makes_no_dataset(stored: Target, built: Path, place: Path) -> None:
    with stored.hold():
        staging = fill(stored, built)
        (place / lease.NAME).unlink()
        with pytest.raises(BusyError, match="has taken it over"):
            stored.commit(staging, document_of(built), Tokenizer.load(built))
    assert not (place / MANIFEST).exists()
