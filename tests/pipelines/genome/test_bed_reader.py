from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import InputError
from pipelines.genome import bed_reader

PATH = Path("a.bed")


def test_an_interval_may_be_empty_but_not_reversed() -> None:
    assert bed_reader.location(["I", "5", "5"], PATH, 1) == (5, 5)
    with pytest.raises(InputError, match="line 3: start 6 and end 5 are not 0 <= start <= end: fix the line"):
        bed_reader.location(["I", "6", "5"], PATH, 3)


def test_a_row_without_name_or_strand_gets_its_position_and_a_dot() -> None:
    feature = bed_reader.feature(["I", "5", "9", "", "0", ""], PATH, 1)
    assert (feature.gene_id, feature.strand, feature.biotype) == ("I:5-9", ".", None)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("track name=x", True),
        ("browser position I:1-10", True),
        ("track\t0\t10", False),
        ("tracks name=x", False),
        ("I\t0\t10", False),
    ],
)
def test_header_lines_are_those_of_ucsc(line: str, expected: bool) -> None:
    assert bed_reader.is_header(line.split("\t")) is expected


def test_rows_keep_their_line_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.bed"
    path.write_text("# note\n\ntrack name=x\nI\t0\t10\n")
    assert list(bed_reader.rows(path)) == [(4, ["I", "0", "10"])]


def test_a_line_without_end_is_refused_and_a_comment_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.bed"
    path.write_text("#" * 2_000_000 + "\nI\t0\t10\n" + "I\t0\t10" + "\tx" * 1_000_000 + "\n")
    with pytest.raises(InputError, match="line 3: longer than 1,048,576 letters"):
        list(bed_reader.rows(path))


def test_rows_after_every_kind_of_header_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.bed"
    path.write_text("browser position I:1-9\ntrack name=a\nI\t0\t10\n\n# note\ntrack\tname=b\nII\t5\t9\n")
    assert [columns for _, columns in bed_reader.rows(path)] == [["I", "0", "10"], ["II", "5", "9"]]
