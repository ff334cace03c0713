from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import fingerprint
from pipelines.dataset import parts
from pipelines.dataset.parts import Part
from pipelines.errors import DatasetError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of seven rows in row groups of three."""
    path = tmp_path / "split=train" / "part-00000.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"label": range(7), "start": [0] * 7}), path, row_group_size=3)
    return path


def listed(file: Path, **changes: Any) -> dict[str, Any]:
    """A file's entry in the manifest."""
    entry = {"path": f"split=train/{file.name}", "bytes": file.stat().st_size, "sha256": fingerprint.of_file(file)}
    return entry | changes


def test_the_row_groups_hold_all_rows_in_order(path: Path) -> None:
    part = Part(path, "")
    assert [group["label"].to_pylist() for group in part.row_groups()] == [[0, 1, 2], [3, 4, 5], [6]]
    assert part.column("label").to_pylist() == list(range(7))


def test_only_the_files_of_a_split_are_its_parts(path: Path, tmp_path: Path) -> None:
    manifest = {"files": [listed(path), listed(path, path="split=test/part-00000.parquet")]}
    assert [part.path for part in parts.of_split(tmp_path, manifest, "train")] == [path]
    with pytest.raises(DatasetError, match="split validation has no rows") as caught:
        parts.of_split(tmp_path, manifest, "validation")
    assert caught.value.code == "empty-split"


def test_a_manifest_without_sizes_and_hashes_is_read_too(path: Path, tmp_path: Path) -> None:
    (part,) = parts.of_files(tmp_path, [{"path": f"split=train/{path.name}"}])
    assert part.sha256 == fingerprint.of_file(path)
    part.verify()


def test_a_file_of_another_size_is_refused_before_it_is_read(path: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"\d+ bytes long, not the manifest's 1: build the dataset again"):
        parts.of_files(tmp_path, [listed(path, bytes=1)])


def test_a_part_with_another_hash_or_without_a_file_does_not_verify(path: Path) -> None:
    with pytest.raises(DatasetError, match="is not the manifest's 000000000000; the file is damaged or was replaced"):
        Part(path, "0" * 64).verify()
    path.unlink()
    with pytest.raises(DatasetError, match="No such file or directory: build the dataset again"):
        Part(path, "0" * 64).verify()


def test_a_damaged_file_and_a_missing_column_are_errors_that_name_the_file(path: Path) -> None:
    with pytest.raises(DatasetError, match=r"part-00000\.parquet: cannot be read"):
        Part(path, "").column("tokens")
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DatasetError, match=r"part-00000\.parquet: cannot be read"):
        list(Part(path, "").row_groups())
