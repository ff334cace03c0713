from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines import fingerprint
from pipelines.errors import UsageError
from training.scan import outputs
from training.scan.calls import Thresholds
from training.scan.grid import Grid
from training.scan.outputs import Counts, Outputs
from training.scan.scores import NO_SCORE

GRID = Grid(40, 10)
LENGTHS = {"chr I;=\t": 35, "chr~2": 20}
RECORD: dict[str, Any] = {"raygene": "1.2.3", "key": "0123456789abcdef"}


def strands(plus: list[int], minus: list[int]) -> np.ndarray:
    return np.array([plus, minus], np.uint16)


SCORES = [
    strands([9000, 9000, 0, int(NO_SCORE)], [0, 0, 0, int(NO_SCORE)]),
    strands([0, 0], [6000, 8000]),
]


def write(folder: Path, *, tracks: bool = True) -> tuple[Outputs, Counts]:
    paths = Outputs.of(folder / "genes.gff3")
    sequences = zip(LENGTHS, SCORES, strict=True)
    return paths, outputs.write(paths, sequences, LENGTHS, GRID, Thresholds(), dict(RECORD), tracks=tracks)


def test_gff3_counts_from_one_and_escapes_names(tmp_path: Path) -> None:
    paths, _ = write(tmp_path)
    assert paths.gff3.read_text().splitlines() == [
        "##gff-version 3",
        "#!processor raygene 1.2.3, scan 0123456789ab",
        "##sequence-region chr%20I%3B%3D%09 1 35",
        "##sequence-region chr%7E2 1 20",
        "chr%20I%3B%3D%09\traygene\tgene\t1\t20\t0.9000\t+\t.\tID=raygene_000001;peak=0.9000",
        "chr%7E2\traygene\tgene\t1\t20\t0.7000\t-\t.\tID=raygene_000002;peak=0.8000",
    ]


def test_counts_are_of_calls_called_bases_and_bins_without_a_score(tmp_path: Path) -> None:
    _, counts = write(tmp_path)
    assert counts == Counts({"+": 1, "-": 1}, called_bases=40, bases=55, unscored=5)


def test_the_record_holds_counts_and_the_hash_of_every_other_file(tmp_path: Path) -> None:
    paths, counts = write(tmp_path)
    record = paths.read_record()
    assert record is not None
    assert record["counts"] == counts.document()
    assert record["files"] == {path.name: fingerprint.of_file(path) for path in paths.files}
    assert record["key"] == RECORD["key"]
    assert paths.match(record, paths.files)


def test_a_file_that_changed_or_is_missing_does_not_match_the_record(tmp_path: Path) -> None:
    paths, _ = write(tmp_path)
    record = paths.read_record()
    assert record is not None
    paths.bed.write_text("changed")
    assert paths.match(record, paths.tracks)
    assert not paths.match(record, paths.files)
    paths.tracks[0].unlink()
    assert not paths.match(record, paths.tracks)


@pytest.mark.parametrize("other", [{"counts": {}, "files": {}}, {"counts": None, "files": {}}, []])
def test_a_record_of_another_form_is_ignored(tmp_path: Path, other: object) -> None:
    paths, _ = write(tmp_path)
    paths.record.write_text(json.dumps(other))
    assert paths.read_record() is None


def test_the_tracks_give_the_scores_back(tmp_path: Path) -> None:
    lengths = {"a": 35, "b": 20}
    paths = Outputs.of(tmp_path / "genes.gff3")
    outputs.write(paths, zip(lengths, SCORES, strict=True), lengths, GRID, Thresholds(), dict(RECORD), tracks=True)
    read_scores = dict(outputs.read_tracks(paths, lengths, GRID))
    assert all((read_scores[name] == scores).all() for name, scores in zip(lengths, SCORES, strict=True))
    assert [(call.chromosome, call.start, call.end, call.strand) for call in paths.read_calls()] == [
        ("a", 0, 20, "+"),
        ("b", 0, 20, "-"),
    ]


def test_files_share_the_name_of_the_calls_and_the_record_is_last() -> None:
    names = [path.name for path in Outputs.of(Path("a/x.y.gff3")).all]
    assert names == ["x.y.gff3", "x.y.bed", "x.y.plus.bedgraph", "x.y.minus.bedgraph", "x.y.json"]


def test_an_output_of_another_ending_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--output genes\.bed: does not end in \.gff3"):
        Outputs.of(Path("genes.bed"))
