from __future__ import annotations

import bz2
import gzip
import lzma
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.build.pipeline import build, prepare
from pipelines.config import DatasetConfig, SourceConfig, validate
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import InputError
from pipelines.genome.labelled import Collection, read_collection
from pipelines.progress import Silent
from pipelines.ray_map import in_this_process
from tests.conftest import GenomeFiles


def written(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return str(path)


def source(**files: str) -> SourceConfig:
    return SourceConfig(genome="c", **files)


def test_the_sequences_of_csv_rows_are_concatenated(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv.gz", "\ufeffsequence,label\r\nACGT,1\r\n\r\nggN,0\r\n")
    sequences = read_collection(source(sequences=path))
    rows = sequences.rows().to_pylist()
    assert [(row["chromosome"], row["start"], row["end"], row["label"], row["gene_id"]) for row in rows] == [
        ("a", 0, 4, 1, "a:2"),
        ("a", 4, 7, 0, "a:4"),
    ]
    assert bytes(sequences.sequence("a", 4, 7)) == b"ggN"


def test_tsv_columns_are_found_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, "a.tsv", "name\tLabel\tSequence\nx\tgene\tAC\ny\tnegative\tGT\n")
    rows = read_collection(source(sequences=path)).rows().to_pylist()
    assert [(row["gene_id"], row["label"]) for row in rows] == [("x", 1), ("y", 0)]


def test_fasta_takes_its_labels_from_a_table(tmp_path: Path) -> None:
    path = written(tmp_path, "a.fa", ">x first\nAC\nGT\n\n>y\nTT\n")
    labels = written(tmp_path, "labels.tsv", "name\tlabel\ny\t0\nx\t1\n")
    rows = read_collection(source(sequences=path, labels=labels)).rows().to_pylist()
    assert [(row["gene_id"], row["end"] - row["start"], row["label"]) for row in rows] == [("x", 4, 1), ("y", 2, 0)]


def test_empty_sequences_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "sequence,label\n,1\nAC,0\n")
    assert read_collection(source(sequences=path)).dropped == {"empty_sequence": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seq,label\nAC,1\n", "line 1: no column 'sequence'"),
        ("sequence,label\nAC,2\n", "line 2: label '2'"),
        ("sequence,label\nA-C,1\n", "line 2: 'A-C' is not a sequence"),
        ("sequence,label\nAC\n", "line 2: 1 columns instead of 2"),
        ('sequence,label\n"AC,1\n', "line 2: not a row of CSV"),
        ("sequence,label\n", "holds no sequence"),
        (">x\nACGT\n", "FASTA holds no labels"),
    ],
)
def test_a_file_that_is_not_labelled_sequences_is_an_error_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_collection(source(sequences=written(tmp_path, "a.csv", text)))


def test_a_sequence_without_a_label_is_an_error(tmp_path: Path) -> None:
    path, labels = written(tmp_path, "a.fa", ">x\nAC\n"), written(tmp_path, "l.tsv", "y\t1\n")
    with pytest.raises(InputError, match=r"l\.tsv: no label of 'x'"):
        read_collection(source(sequences=path, labels=labels))


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    paths = [written(tmp_path / folder, "a.csv", "sequence,label\nAC,1\n") for folder in ("one", "two")]
    with pytest.raises(InputError, match="two files of c have the name a"):
        read_collection(source(train=paths[0], validation=paths[1]))


def test_equal_sequences_and_reverse_complements_are_one_group(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "sequence,label\nAACG,1\ncgtt,0\nAACC,1\naacg,1\n")
    assert read_collection(source(sequences=path)).groups().tolist() == [0, 0, 1, 0]


def collection(folder: Path, rows: int, seed: int) -> str:
    generator = np.random.default_rng(seed)
    lines = [f"{''.join(generator.choice(list('ACGT'), 40))},{number % 2}" for number in range(rows)]
    return written(folder, f"c{seed}.csv", "\n".join(["sequence,label", *lines, *lines[:20], ""]))


def rows_of(directory: Path, split: str) -> list[dict[str, Any]]:
    return TokenDataset.open(directory, split).table.to_pylist()


@pytest.mark.ray
def test_files_of_splits_stay_in_their_split_next_to_genomes_split_by_chromosome(
    genome: GenomeFiles, tmp_path: Path
) -> None:
    paths = {split: collection(tmp_path, 60, seed) for seed, split in enumerate(("train", "validation", "test"))}
    config = {
        "sources": [genome.source("g"), {"genome": "c", **paths}],
        "tokenizer": {"k": 3, "stride": 1},
        "split": {"test": ["chr4"], "validation": ["chr3"]},
    }
    build(validate(DatasetConfig, config, "test"), tmp_path / "out", in_this_process, Silent())
    for seed, split in enumerate(("train", "validation", "test")):
        rows = [row for row in rows_of(tmp_path / "out", split) if row["genome"] == "c"]
        assert len(rows) == 80
        assert {row["chromosome"] for row in rows} == {f"c{seed}"}


@pytest.mark.ray
def test_tokens_are_those_of_the_sequences_and_equal_sequences_share_a_split(tmp_path: Path) -> None:
    path = collection(tmp_path, 300, 0)
    config = {"sources": [{"genome": "c", "sequences": path}], "tokenizer": {"k": 4, "stride": 2}}
    manifest = build(validate(DatasetConfig, config, "test"), tmp_path / "out", in_this_process, Silent())
    sequences = [line.split(",")[0] for line in Path(path).read_text().splitlines()[1:]]
    seen: dict[str, str] = {}
    for split in ("train", "validation", "test"):
        opened = TokenDataset.open(tmp_path / "out", split)
        for row, name in enumerate(opened.table["gene_id"].to_pylist()):
            text = sequences[int(name.split(":")[1]) - 2]
            assert opened[row][0].tolist() == opened.tokenizer.encode(text).tolist()
            assert seen.setdefault(text, split) == split
    assert manifest["leakage"]["near_duplicates"] == 0
    assert sum(count["rows"] for count in manifest["counts"]) == 320


def test_labels_without_a_sequence_are_counted_over_all_files(tmp_path: Path) -> None:
    paths = {split: written(tmp_path, f"{split}.fa", f">{split}\nAC\n") for split in ("train", "validation")}
    labels = written(tmp_path, "l.tsv", "name\tlabel\ntrain\t1\nvalidation\t0\nother\t1\n")
    assert read_collection(source(**paths, labels=labels)).dropped == {"label_without_sequence": 1}


def test_equal_sequences_with_both_labels_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "sequence,label\nAACG,1\ncgtt,0\nAACC,1\nAACC,1\naacg,1\n")
    assert read_collection(source(sequences=path)).contradictions() == (1, 3)


def test_a_build_warns_of_equal_sequences_with_both_labels(tmp_path: Path) -> None:
    train = written(tmp_path, "a.csv", "sequence,label\nAACG,1\ncgtt,0\nAAAA,1\n")
    held_out = written(tmp_path, "b.csv", "sequence,label\nACAC,1\nGGCA,0\n")
    others = written(tmp_path, "c.csv", "sequence,label\nTCTC,1\nGGGA,0\n")
    entry = {"genome": "c", "train": train, "validation": held_out, "test": others}
    progress = Silent()
    prepare(validate(DatasetConfig, {"sources": [entry], "tokenizer": {"k": 3, "stride": 1}}, "test"), progress)
    assert [text for text in progress.warnings if "both labels, in 2 of 7 rows" in text]


def test_labels_of_the_third_column_are_read_by_their_header(tmp_path: Path) -> None:
    path = written(tmp_path, "s.fa", ">s1\nACGT\n>s2\nAAAA\n")
    labels = written(tmp_path, "l.tsv", "name\tlength\tlabel\ns1\t1\t0\ns2\t0\t1\n")
    rows = read_collection(source(sequences=path, labels=labels)).rows().to_pylist()
    assert [(row["gene_id"], row["label"]) for row in rows] == [("s1", 0), ("s2", 1)]


@pytest.mark.parametrize("edited", ["a.fa", "labels.tsv"])
def test_sequences_or_labels_that_changed_are_not_read_by_another_process(tmp_path: Path, edited: str) -> None:
    path = written(tmp_path, "a.fa", ">x\nACGT\n>y\nTT\n")
    labels = written(tmp_path, "labels.tsv", "y\t0\nx\t1\n")
    sent = pickle.dumps(read_collection(source(sequences=path, labels=labels)))
    assert len(pickle.loads(sent).rows()) == 2
    written(tmp_path, edited, (tmp_path / edited).read_text() + "\n")
    with pytest.raises(InputError, match=f"{edited}: changed while it was read: run the same command again"):
        pickle.loads(sent).sequence("a", 0, 2)


def test_another_file_on_another_machine_is_an_error_that_names_it(tmp_path: Path) -> None:
    collection = read_collection(source(sequences=written(tmp_path, "a.csv", "sequence,label\nAC,1\n")))
    other = Collection("c", collection.files, {"sequences": "0" * 64}, "head")
    with pytest.raises(InputError, match=r"a\.csv: another file on machine .* than on head"):
        other.rows()


@pytest.mark.parametrize(("ending", "pack"), [("bz2", bz2.compress), ("xz", lzma.compress), ("gz", gzip.compress)])
def test_the_name_of_a_compressed_file_has_none_of_its_endings(
    tmp_path: Path, ending: str, pack: Callable[[bytes], bytes]
) -> None:
    (tmp_path / f"a.csv.{ending}").write_bytes(pack(b"sequence,label\nAC,1\n"))
    rows = read_collection(source(sequences=str(tmp_path / f"a.csv.{ending}"))).rows().to_pylist()
    assert [row["chromosome"] for row in rows] == ["a"]


def test_a_byte_order_mark_in_sequences_and_labels_is_skipped(tmp_path: Path) -> None:
    path = written(tmp_path, "a.fa", "\ufeff>x\nACGT\n")
    rows = read_collection(source(sequences=path, labels=written(tmp_path, "l.tsv", "\ufeffx\t1\n"))).rows()
    assert rows["gene_id"].to_pylist() == ["x"]
