from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import pytest

from pipelines.dataset import location
from pipelines.dataset.location import FOLDER
from pipelines.dataset.manifest import MANIFEST, read_manifest
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import DatasetError, ResourceError
from pipelines.stores import cache_room
from tests.pipelines.dataset.small_dataset import write_dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("location") / "dataset")


@pytest.fixture
def address(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A dataset in a store on this disk, and an empty cache."""
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "cache"))
    shutil.copytree(dataset, tmp_path / "bucket" / "dataset")
    return f"local://{tmp_path}/bucket/dataset"


def copies(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "cache" / FOLDER).glob("[!.]*"))


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_local_directory_is_itself(dataset: Path) -> None:
    assert location.local(dataset) == dataset.absolute()
    assert location.local(dataset.as_uri()) == dataset.absolute()


def test_a_dataset_at_an_address_is_copied_once(address: str, dataset: Path, tmp_path: Path) -> None:
    copy = location.local(address)
    assert names(copy) == names(dataset)
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.is_file()}
    assert location.local(address) == copy
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.is_file()} == before
    assert copies(tmp_path) == [copy]


def test_only_the_split_that_is_opened_is_fetched(address: str, dataset: Path) -> None:
    opened = TokenDataset.open(address, "test")
    assert opened.tokens.tolist() == TokenDataset.open(dataset, "test").tokens.tolist()
    copy = location.local(address, ())
    assert {name.partition("/")[0] for name in names(copy)} == {MANIFEST, "tokenizer.json", "split=test"}


def test_an_open_dataset_is_pickled_as_its_address(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pickled = pickle.dumps(TokenDataset.open(address, "test"))
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "cache of another node"))
    assert len(pickle.loads(pickled)) > 0
    assert (tmp_path / "cache of another node" / FOLDER).exists()


def test_where_nothing_finished_is_the_error_says_so(address: str, tmp_path: Path) -> None:
    (tmp_path / "bucket" / "dataset" / MANIFEST).unlink()
    with pytest.raises(
        DatasetError, match=r"^local:/.*/dataset: no finished dataset there \(no manifest.json\)"
    ) as error:
        location.local(address)
    assert error.value.code == "missing"


def test_a_file_with_other_bytes_is_refused_and_not_kept(address: str, tmp_path: Path) -> None:
    listed = read_manifest(tmp_path / "bucket" / "dataset")["files"][0]["path"]
    path = tmp_path / "bucket" / "dataset" / listed
    path.write_bytes(bytes(len(path.read_bytes())))
    with pytest.raises(DatasetError, match=rf"{listed}: not the bytes that manifest.json names") as error:
        location.local(address)
    assert error.value.code == "damaged"
    assert not list((tmp_path / "cache").rglob(listed))


def test_a_damaged_copy_is_fetched_again(address: str, dataset: Path) -> None:
    copy = location.local(address)
    part = next(copy.glob("split=test/*"))
    part.write_bytes(b"half")
    location.local(address)
    assert part.read_bytes() == (dataset / "split=test" / part.name).read_bytes()


def test_copies_that_were_not_used_for_long_make_room(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = sum(path.stat().st_size for path in (tmp_path / "bucket").rglob("*") if path.is_file())
    old, recent = (tmp_path / "cache" / FOLDER / name for name in ("old", "recent"))
    for folder in (old, recent):
        folder.mkdir(parents=True)
        (folder / "part").write_bytes(bytes(size))
    os.utime(old, (0, 0))
    monkeypatch.setenv(cache_room.LIMIT, str(2.5 * size / 2**30))
    location.local(address)
    assert not old.exists()
    assert recent.exists()


def test_a_cache_without_room_is_one_line(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache_room.LIMIT, "0.000001")
    with pytest.raises(
        ResourceError, match=r"need [1-9][0-9.]* KiB and \S+ (KiB|bytes) are free for them: .*RAYGENE_CACHE_GIB$"
    ):
        location.local(address)


def test_a_web_server_has_datasets_too(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "cache"))
    memory = fsspec.filesystem("memory")
    for name in names(dataset):
        memory.pipe(f"/location/{name}", (dataset / name).read_bytes())
    assert names(location.local("memory://location")) == names(dataset)
