from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import InputError
from pipelines.labels.labels_file import Label
from pipelines.labels.records import fasta_records, table_records


def table(path: Path, text: str) -> list[tuple[str, str, int]]:
    path.write_bytes(text.encode())
    return [(record.name, record.letters.decode(), record.label) for record in table_records(path, "a")]


@pytest.mark.parametrize(
    "text",
    [
        "sequence,label\nACGT,1\nTT,0\n",
        '"sequence","label"\r\n"ACGT","1"\r\n"TT","0"\r\n',
        "sep=;\r\nsequence;label\r\nACGT;1\r\nTT;0\r\n",
        "label;fold;sequence\n1;0;ACGT\n0;1;TT\n",
        "sequence\tlabel\t\t\nACGT\t1\t\t\nTT\t0\t\t\n\t\t\t\n",
        "sequence,label\nACGT,1,,\nTT,0\n",
        'label,note,sequence\n1,"a\n1,b",ACGT\n0,"c, d",TT\n',
        'sequence,label\n"AC\nGT",TRUE\nTT,FALSE\n',
    ],
)
def test_rows_of_spreadsheets_are_read(tmp_path: Path, text: str) -> None:
    assert [(letters, label) for _, letters, label in table(tmp_path / "a.csv", text)] == [("ACGT", 1), ("TT", 0)]


def test_a_sequence_that_r_and_pandas_write_as_missing_is_empty(tmp_path: Path) -> None:
    text = "sequence,label\nNA,1\nnan,0\n,1\nNAC,0\n"
    assert [letters for _, letters, _ in table(tmp_path / "a.csv", text)] == ["", "", "", "NAC"]


@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_a_sequence_may_have_the_length_of_a_chromosome(tmp_path: Path, ending: str) -> None:
    letters, delimiter = "ACGTTGCAAN" * 100_000, {"csv": ",", "tsv": "\t"}[ending]
    text = f'sequence{delimiter}label\n{letters}{delimiter}1\n"{letters}"{delimiter}0\n'
    assert [record[1:] for record in table(tmp_path / f"a.{ending}", text)] == [(letters, 1), (letters, 0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,sequence,label\nx,AC,1\ny,AC,0\nx,GG,0\n", "line 4: 'x' is also the name in line 2"),
        ("sequence,label,Sequence\nAC,1,GG\n", "line 1: two columns 'sequence'"),
        ("sequence,label,label\nAC,1,0\n", "line 1: two columns 'label'"),
        ("sequence,label\nAC,\n", "line 2: label empty"),
        ("sequence,label\nAC,1\nAC,nan\n", "line 3: label 'nan'"),
        ("sequence,label\nMKVLAE,1\n", "line 2: 'L' is a letter of proteins"),
        ("sequence,label\nAC\0GT,1\n", "line 2: holds NUL bytes"),
        ("sequence,label\nAC,1,x\n", "line 2: 3 columns instead of 2"),
        ("sequence,label\nACÄ,1\n", "line 2: 'ACÄ' is not a sequence"),
        ('sequence,label\nAC,1\n"GG,0\n', "line 3: not a row of CSV"),
    ],
)
def test_a_wrong_row_is_an_error_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        table(tmp_path / "a.csv", text)


def test_rows_without_a_name_are_named_by_their_line(tmp_path: Path) -> None:
    text = "name,sequence,label\n,AC,1\ny,GG,0\n"
    assert [record[0] for record in table(tmp_path / "a.csv", text)] == ["a:2", "y"]


def test_a_name_that_occurs_twice_in_a_fasta_file_is_an_error_with_both_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.fa"
    path.write_text(">x\nAC\n>y\nGG\n>x again\nTT\n")
    with pytest.raises(InputError, match="line 5: 'x' is also the name in line 1"):
        list(fasta_records(path, {"x": Label(1, 1), "y": Label(0, 2)}, tmp_path / "l.tsv"))


def test_rna_is_accepted(tmp_path: Path) -> None:
    assert table(tmp_path / "a.csv", "sequence,label\nacguRYn,1\n") == [("a:2", "acguRYn", 1)]
