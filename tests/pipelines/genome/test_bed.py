from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import InputError
from pipelines.genome import bed
from pipelines.genome.features import Feature


def test_bed3_to_bed6_are_read_with_names_and_strands(tmp_path: Path) -> None:
    path = tmp_path / "a.bed"
    path.write_text("track name=x\n# note\nI\t0\t10\nI\t5\t9\tgene1\t0\t-\textra\n")
    features = bed.read_intervals(path, ["gene"])
    assert [(feature.start, feature.end, feature.gene_id, feature.strand) for feature in features] == [
        (0, 10, "I:0-10", "."),
        (5, 9, "gene1", "-"),
    ]


def test_a_sequence_may_be_called_track(tmp_path: Path) -> None:
    path = tmp_path / "a.bed"
    path.write_text("\ufefftrack name=x\ntrack_1\t0\t10\t\t\t\ntrack\t3\t9\nbrowser position I:1-10\n")
    features = bed.read_intervals(path, ["gene"])
    assert [(feature.chromosome, feature.strand) for feature in features] == [("track_1", "."), ("track", ".")]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("I\t5", "line 1: 2 columns"),
        ("I\tx\t9", "line 1: 'x' is not a whole number"),
        ("I\t9\t9", "line 1: start 9 and end 9"),
        ("I\t1\t9\tn\t0\t*", "strand '\\*'"),
        ("", "holds no interval"),
    ],
)
def test_a_row_that_is_not_bed_is_an_error_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "a.bed"
    path.write_text(line + "\n")
    with pytest.raises(InputError, match=message):
        bed.read_intervals(path, ["gene"])


def test_of_gff3_the_features_of_the_requested_types_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.gff3"
    path.write_text("I\ts\tgene\t1\t10\t.\t+\t.\tID=a\nI\ts\texon\t1\t5\t.\t+\t.\tID=b\n")
    assert [(feature.start, feature.end) for feature in bed.read_intervals(path, ["gene"])] == [(0, 10)]


def test_scored_intervals_are_bed6_lines_without_control_characters() -> None:
    feature = Feature("chr 1", 5, 9, "-", "gene\ta\u2028\x85", None)
    assert list(bed.bed_lines([feature], [0.9996])) == ["chr 1\t5\t9\tgene a  \t1000\t-\n"]
    assert [bed.bed_score(probability) for probability in (0.0, 0.0004, 0.5, 1.0)] == [0, 0, 500, 1000]
