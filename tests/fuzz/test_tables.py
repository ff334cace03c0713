"""Labelled sequences and their labels that were changed."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.config import SourceConfig
from pipelines.genome.labelled import Collection, read_collection
from tests.fuzz import mutation
from tests.fuzz.harness import CASES, MANY_CASES, Target, run_cases, written
from tests.hypothesis_profiles import examples

TABLES = [
    b"sequence,label\nACGTACGT,0\nggggcccc,1\nNNNNACGT,0\n",
    b'"name","sequence","label"\n"s1","ACGT","gene"\n"s2","TTTT","negative"\n',
    b"name\tlabel\tsequence\textra\ns1\t1\tACGTRY\t\ns2\t0\tACG\tx\n",
    b"\xef\xbb\xbflabel,sequence\r\n1,ACGT\r\n0,CCCC\r\n",
]
FASTA = [b">s1 one\nACGT\nAC\n>s2\nGGGG\n>s3\nTTTT\n", b">s1\r\nACGT\r\n>s2\r\nGGGG\r\n>s3\nT\n"]
LABELS = [
    b"s1\t1\ns2\t0\ns3\tgene\n",
    b"name,label\ns1,1\ns2,0\ns3,0\n",
    b"name\tfold\tlabel\ns1\t1\t0\ns2\t0\t1\ns3\t0\t1\n",
    b'"name","label"\n"s1","1"\n"s2","0"\n"s3","negative"\n',
]


def check_collection(folder: Path, **files: bytes) -> Collection:
    """Read files as a collection; its rows are whole, and the sequences lie one after another."""
    config = {key: str(written(folder, f"{key}.txt", content)) for key, content in files.items()}
    collection = read_collection(SourceConfig(genome="g", **config))
    rows = collection.rows()
    starts, ends = (rows[name].to_numpy() for name in ("start", "end"))
    assert len(rows) > 0
    assert (starts < ends).all()
    assert starts[0] == 0
    np.testing.assert_array_equal(starts[1:], ends[:-1])
    assert set(rows["label"].to_pylist()) <= {0, 1}
    (chromosome,) = set(rows["chromosome"].to_pylist())
    assert bytes(collection.sequence(chromosome, 0, int(ends[-1]))).isalpha()
    assert len(collection.groups()) == len(rows)
    return collection


def check_table(random: Random, folder: Path) -> None:
    check_collection(folder, sequences=mutation.mutated(random.choice(TABLES), TABLES, random))


def check_fasta(random: Random, folder: Path) -> None:
    content = mutation.mutated(random.choice(FASTA), FASTA, random)
    check_collection(folder, sequences=content, labels=LABELS[0])


def check_labels(random: Random, folder: Path) -> None:
    content = mutation.mutated(random.choice(LABELS), LABELS, random)
    check_collection(folder, sequences=FASTA[0], labels=content)


TARGETS = [
    Target("table of labelled sequences", check_table),
    Target("labelled FASTA", check_fasta),
    Target("labels", check_labels),
]


@pytest.mark.parametrize("target", TARGETS, ids=repr)
def test_what_is_read_is_valid_or_an_error_of_one_line(target: Target, tmp_path: Path) -> None:
    run_cases(target, tmp_path, CASES)


@pytest.mark.full
@pytest.mark.parametrize("target", TARGETS, ids=repr)
def test_a_thousand_cases_are_valid_or_an_error_of_one_line(target: Target, tmp_path: Path) -> None:
    run_cases(target, tmp_path, MANY_CASES, first=CASES)


names = st.text(st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=12).filter(
    lambda name: name == name.strip()
)
# An empty cell of R and pandas is no sequence of two or three letters.
letters = st.text("ACGTacgtNRY", min_size=1, max_size=40).filter(lambda text: text.upper() not in {"NA", "NAN"})
records = st.lists(
    st.tuples(names, letters, st.integers(0, 1)),
    min_size=1,
    max_size=8,
    unique_by=lambda row: row[0],
)


@examples(50)
@given(records, st.sampled_from(",\t"), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.sampled_from("\n\r"))
def test_what_the_csv_module_writes_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, int]], separator: str, quoting: int, end: str
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, quoting=quoting, lineterminator={"\n": "\n", "\r": "\r\n"}[end])  # type: ignore[arg-type]
    writer.writerows([("name", "sequence", "label"), *rows])
    collection = check_collection(tmp_path_factory.mktemp("csv"), sequences=text.getvalue().encode())
    table = collection.rows()
    assert table["label"].to_pylist() == [label for _, _, label in rows]
    assert table["gene_id"].to_pylist() == [name for name, _, _ in rows]
    assert bytes(collection.sequence("sequences", 0, 10**6)).decode() == "".join(letters for _, letters, _ in rows)
