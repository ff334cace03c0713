from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.errors import UsageError
from training.annotate.outputs import Counts, Outputs


def test_paths_that_follow_from_others_have_their_names(tmp_path: Path) -> None:
    outputs = Outputs.of(tmp_path / "genes.gff3", gtf=tmp_path / "g.gtf", bigwig=tmp_path / "deep" / "coding.bw")
    assert [str(path.relative_to(tmp_path)) for path in outputs.all] == [
        "genes.gff3",
        "g.gtf",
        "deep/coding.plus.bw",
        "deep/coding.minus.bw",
        "genes.json",
    ]
    assert outputs.scores == tmp_path / "genes.scores"


@pytest.mark.parametrize(("name", "values"), [("genes.gff", {}), ("genes.gff3", {"bigwig": Path("coding.wig")})])
def test_other_endings_are_refused(name: str, values: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match="does not end in"):
        Outputs.of(Path(name), **values)


def written(folder: Path) -> Outputs:
    outputs = Outputs.of(folder / "genes.gff3", cds=folder / "out" / "cds.fa")
    for path in outputs.files:
        path.parent.mkdir(exist_ok=True)
        path.write_text(path.name)
    outputs.write_record({"key": "1"}, Counts(bases=7))
    return outputs


def test_a_record_matches_the_files_that_it_was_written_with(tmp_path: Path) -> None:
    outputs = written(tmp_path)
    record = outputs.read_record()
    assert record is not None
    assert Counts(**record["counts"]) == Counts(bases=7)
    assert set(record["files"]) == {"genes.gff3", "out/cds.fa"}
    assert outputs.match(record)
    assert Outputs.of(tmp_path / "genes.gff3").match(record)
    assert not Outputs.of(tmp_path / "genes.gff3", gtf=tmp_path / "g.gtf").match(record)
    outputs.gff3.write_text("changed")
    assert not outputs.match(record)


@pytest.mark.parametrize("text", ["[]", "{", '{"counts": null, "files": {}}', '{"counts": {"genes": 1}, "files": {}}'])
def test_a_damaged_record_is_ignored(tmp_path: Path, text: str) -> None:
    outputs = written(tmp_path)
    outputs.record.write_text(text)
    assert outputs.read_record() is None


def test_a_record_does_not_depend_on_where_its_directory_lies(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        written(folder)
    records = [json.loads((folder / "genes.json").read_text()) for folder in (first, second)]
    assert records[0] == records[1]
