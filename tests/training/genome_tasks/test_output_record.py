from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from training.genome_tasks import output_record

COUNTS = frozenset({"bases", "calls"})
RECORD = {"genome": "abc", "counts": {"bases": 12, "calls": 1}}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Outputs beside the record and in another directory."""
    paths = [tmp_path / "results" / "calls.bed", tmp_path / "plots" / "scores.bw"]
    for path in paths:
        path.parent.mkdir()
        path.write_text(path.name)
    return paths


def write(folder: Path, files: list[Path]) -> Path:
    path = folder / "results" / "calls.json"
    output_record.write(path, {"genome": "abc"}, RECORD["counts"], files)
    return path


def test_a_record_is_read_as_it_was_written_with_the_files_by_their_path_from_it(
    tmp_path: Path, files: list[Path]
) -> None:
    path = write(tmp_path, files)
    hashes = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    expected = RECORD | {"files": {"calls.bed": hashes[0], "../plots/scores.bw": hashes[1]}}
    assert output_record.read(path, COUNTS) == expected
    assert output_record.match(path, expected, files)


def test_a_folder_that_was_moved_still_matches(tmp_path: Path, files: list[Path]) -> None:
    write(tmp_path, files)
    for name in ("results", "plots"):
        (tmp_path / "moved").mkdir(exist_ok=True)
        (tmp_path / name).rename(tmp_path / "moved" / name)
    moved = [tmp_path / "moved" / file.relative_to(tmp_path) for file in files]
    path = moved[0].with_name("calls.json")
    record = output_record.read(path, COUNTS)
    assert record is not None
    assert output_record.match(path, record, moved)


@pytest.mark.parametrize("number", [0, 1])
def test_a_file_that_is_gone_changed_or_not_of_the_record_does_not_match(
    tmp_path: Path, files: list[Path], number: int
) -> None:
    path = write(tmp_path, files)
    record = output_record.read(path, COUNTS)
    assert record is not None
    files[number].write_text("changed")
    assert not output_record.match(path, record, files)
    files[number].unlink()
    assert not output_record.match(path, record, files)
    assert not output_record.match(path, record, [path])


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"counts": {',
        "[]",
        '"counts"',
        json.dumps({"counts": {"bases": 1, "calls": 1}}),
        json.dumps({"counts": [1], "files": {}}),
        json.dumps({"counts": {"bases": 1}, "files": {}}),
        json.dumps({"counts": {"bases": 1, "calls": 1, "genes": 1}, "files": {}}),
    ],
)
def test_a_damaged_record_or_one_of_another_form_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "calls.json"
    path.write_text(text)
    assert output_record.read(path, COUNTS) is None


def test_a_missing_record_and_one_that_is_no_text_are_none(tmp_path: Path) -> None:
    assert output_record.read(tmp_path / "calls.json", COUNTS) is None
    (tmp_path / "calls.json").write_bytes(b"\xff\xfe\x00")
    assert output_record.read(tmp_path / "calls.json", COUNTS) is None


def test_a_record_of_an_earlier_version_may_lack_later_totals_alone(tmp_path: Path) -> None:
    path = tmp_path / "calls.json"
    record = {"counts": {"bases": 1}, "files": {}}
    path.write_text(json.dumps(record))
    assert output_record.read(path, COUNTS, later=frozenset({"calls"})) == record
    assert output_record.read(path, COUNTS, later=frozenset({"bases"})) is None
