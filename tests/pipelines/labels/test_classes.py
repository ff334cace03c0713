from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import InputError, UsageError
from pipelines.labels import classes
from pipelines.labels.class_name import class_name
from pipelines.labels.labels_file import label_of, read_labels


def test_names_are_sorted_by_letters_and_numbers_by_value() -> None:
    assert classes.resolved(["intron", "exon", "exon"], None) == ["exon", "intron"]
    assert classes.resolved(["10", "9", "-1"], None) == ["-1", "9", "10"]


def test_the_order_given_counts() -> None:
    assert classes.resolved(["a", "b"], ["b", "a"]) == ["b", "a"]


def test_classes_that_are_given_are_read_as_labels_are() -> None:
    assert classes.resolved(["1", "02", "a"], ["1.0", "02", " a"]) == ["1", "02", "a"]


@pytest.mark.parametrize(
    ("labels", "given", "message"),
    [
        (["a", "b", "c"], ["a", "b"], "'c' is a label of sequences and not in the list"),
        (["a", "b"], ["a", "b", "c"], "no sequence has the label 'c'"),
        (["a", "b"], ["a", "b", "a"], "a name is there twice"),
        (["a", "b"], ["a", "None"], "'None' cannot be a label"),
        (["a"], None, "'a' alone"),
        (["Exon", "exon"], None, "'Exon' and 'exon' differ in case alone"),
        ([str(number / 7) for number in range(200)], None, "200 different ones are more than 100 classes"),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels: list[str], given: list[str] | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        classes.resolved(labels, given)


def test_a_whole_number_is_the_same_class_however_it_is_written() -> None:
    assert {class_name(text) for text in ("2", " 2.0", "+2", "2,00")} == {"2"}
    assert [class_name(text) for text in ("2.5", "02", "007")] == ["2.5", "02", "007"]


@pytest.mark.parametrize("text", ["", "NaN", "None", "n/a", "a\tb", "x" * 101])
def test_what_stands_for_no_label_is_no_class(text: str) -> None:
    with pytest.raises(InputError, match="line 3: label"):
        label_of(text, Path("f.csv"), 3, of_classes=True)


def test_a_class_called_none_is_refused_with_the_reason() -> None:
    with pytest.raises(InputError, match=r"'none'.*stands for a missing label"):
        label_of("none", Path("f.csv"), 3, of_classes=True)


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["a", "b"], None),
        (["a", "b", "a"], "a name is there twice"),
        (["a", ""], "not names of at most 100 printable letters"),
        (["a", "b\x1b"], "not names of at most 100 printable letters"),
        (["a", 1], "not names of at most 100 printable letters"),
        (["a"], "1, where 2 to 100 are possible"),
        ([str(number) for number in range(101)], "101, where 2 to 100 are possible"),
    ],
)
def test_stored_classes_are_checked(names: list[Any], problem: str | None) -> None:
    assert classes.problem_of_stored(names) == problem


@pytest.mark.parametrize(
    "text", ["name\tlabel\ns1\texon\ns2\t1\n", "s1,exon\ns2,1.0\n", "id;fold;class\ns1;0;exon\ns2;1;1\n"]
)
def test_a_file_of_labels_may_name_classes(tmp_path: Path, text: str) -> None:
    path = tmp_path / "l.tsv"
    path.write_text(text)
    labels = read_labels(path, of_classes=True)
    assert {name: label.value for name, label in labels.items()} == {"s1": "exon", "s2": "1"}


def test_without_a_header_more_than_two_columns_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "l.tsv"
    path.write_text("s1\texon\tx\n")
    with pytest.raises(InputError, match="3 columns, of which no header says which is the label"):
        read_labels(path, of_classes=True)
