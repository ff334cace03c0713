from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import InputError
from pipelines.labels.labels_file import read_labels


def labels(path: Path, text: str) -> dict[str, int]:
    path.write_bytes(text.encode())
    return {name: label.value for name, label in read_labels(path).items()}


@pytest.mark.parametrize(
    "text",
    [
        "name\tlength\tlabel\ns1\t1\t0\ns2\t0\t1\n",
        "label\tname\n0\ts1\n1\ts2\n",
        "#name\tfold\tlabel\ns1\t1\t0\ns2\t1\t1\n",
        "ID,Fold,Target\ns1,1,0\ns2,0,1\n",
        '"seq_id";"class"\r\n"s1";"0"\r\n"s2";"1"\r\n',
        "sep=;\nname;label\ns1;0\ns2;1\n",
        "\ufeffname,label,,\r\ns1,FALSE,,\r\ns2,TRUE,,\r\n,,,\r\n",
        'name,note,label\ns1,"a\nb",0\ns2,"x, y",1\n',
        "class,name,label\ncoding,s1,negative\nnot,s2,gene\n",
        "s1\t0\ns2\t1\n",
        "s1,0.0\ns2,1.0\n",
        "# a comment\ns1 0\ns2 1\n",
        "# a comment, with the name and the label\n\n# another\ns1\t0\n# within\ns2\t1\n",
        "accession of the sequence\tis it a gene\ns1\t0\ns2\t1\n",
        "s1\t0\tpromoter\ns2\t1\tintron\n",
        "name,gene\ns1,0\ns2,1\n",
        "name;label\ns1;0,0\ns2;1,00\n",
        "name label\ns1 0.000000000000000000e+00\ns2 1.000000000000000000e+00\n",
        '"name" "label"\n"s1" 0\n"s2" 1\n',
        '"","name","label"\n"1","s1",0\n"2","s2",1\n',
        ",name,label\n0,s1,0\n1,s2,1\n",
        "\ns1\t0\n\ns2\t1\n\n",
    ],
)
def test_the_header_decides_which_column_is_the_label(tmp_path: Path, text: str) -> None:
    assert labels(tmp_path / "l.tsv", text) == {"s1": 0, "s2": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name\tlabel\ns1\t1\ns2\t0\ns1\t0\n", "line 4: 's1' has another label in line 2"),
        ("s1\t1\ns1\t1\n", "line 2: 's1' has the same label in line 1"),
        ("name,label\ns1,\n", "line 2: label empty"),
        ("name,label\ns1,1\ns2,NaN\n", "line 3: label 'NaN'"),
        ("name,label\ns1,None\n", "line 2: label 'None'"),
        ("name,label\ns1,2\n", "line 2: label '2'"),
        ("name,label\n,1\n", "line 2: a label without a name"),
        ("name,label\ns1\n", "line 2: one column instead of two"),
        ("name,x,label\ns1,1\n", "line 2: 2 columns, of which none is the label"),
        ("name,label,Label\ns1,1,0\n", "line 1: two columns 'label'"),
        ("name,Name,label\ns1,s2,0\n", "line 1: two columns 'name'"),
        ("s1\t1\t0\ns2\t0\t1\n", "line 1: 3 columns, of which no header says which is the label"),
        ("contig\tfold\tvalue\ns1\t1\t0\n", "line 1: 3 columns, of which no header says"),
        ("s1\n", "line 1: one column instead of two"),
        ("s1,\ns2,1\n", "line 1: label empty"),
        ("s1,NaN\ns2,1\n", "line 1: label 'NaN'"),
        ("s1,positive\ns2,negative\n", "line 1: label 'positive'"),
        ("s1,2\ns2,1\n", "line 1: label '2'"),
        ("s1,0.5\ns2,1\n", "line 1: label '0.5'"),
        ("name\tlabel\n1\ts1\t0\n", "line 2: 3 columns, but the header in line 1 has 2"),
        ("fold\tlabel\ns1\t0\t1\n", "line 2: 3 columns, but the header in line 1 has 2"),
        ('"name" "label"\n"1" "s1" 0\n', "line 2: 3 columns, but the header in line 1 has 2"),
        ('name,label\n"s1,1\n', "line 2: not a row of CSV"),
        ("", "is empty"),
        ("# name and label\n", "is empty"),
    ],
)
def test_a_file_that_says_no_or_two_labels_is_an_error_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        labels(tmp_path / "l.tsv", text)
    assert str(caught.value).startswith(str(tmp_path / "l.tsv"))
