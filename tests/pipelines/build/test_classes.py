"""Datasets of labelled sequences with classes (task classify)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipelines.config import DatasetConfig, validate
from pipelines.dataset import export
from pipelines.dataset.manifest import classes, read_manifest, require_intervals
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import DatasetError, UsageError
from tests.class_sequences import build_classes, sections, write_sequences


@pytest.fixture(scope="module")
def sequences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classes")
    write_sequences(folder)
    return folder


@pytest.fixture(scope="module")
def dataset(sequences: Path) -> Path:
    build_classes(sequences, sequences / "dataset")
    return sequences / "dataset"


def test_the_manifest_names_the_classes_and_rows_have_their_numbers(dataset: Path) -> None:
    assert classes(read_manifest(dataset)) == ["10", "exon", "intron"]
    train = TokenDataset.open(dataset, "train")
    # The files have exon, intron, 10 in turn.
    assert train.labels[:6].tolist() == [1, 2, 0, 1, 2, 0]


def test_the_order_of_classes_decides_the_numbers_and_the_fingerprint(sequences: Path, dataset: Path) -> None:
    other = build_classes(sequences, sequences / "other", classes=["intron", "exon", "10"])
    assert TokenDataset.open(sequences / "other", "train").labels[:3].tolist() == [1, 0, 2]
    assert other["fingerprint"] != read_manifest(dataset)["fingerprint"]


def test_naming_the_default_order_gives_the_same_dataset(sequences: Path, dataset: Path) -> None:
    named = build_classes(sequences, sequences / "named", classes=["10", "exon", "intron"])
    assert named["fingerprint"] == read_manifest(dataset)["fingerprint"]


def test_what_needs_genes_refuses_the_dataset(dataset: Path) -> None:
    with pytest.raises(DatasetError, match=r"its sequences have classes \(task classify\)"):
        require_intervals(read_manifest(dataset), dataset, "scan")


def test_a_count_of_a_class_that_is_not_named_is_damage(dataset: Path, tmp_path: Path) -> None:
    document = json.loads((dataset / "manifest.json").read_text())
    document["counts"][0]["label"] = 3
    del document["digest"]
    (tmp_path / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(DatasetError, match="a label that is none of the classes"):
        read_manifest(tmp_path)


def test_exported_sequences_name_their_class(dataset: Path, tmp_path: Path) -> None:
    for file_format in ("fasta", "gff3", "bed"):
        export.export(dataset, file_format, tmp_path / file_format)
    assert (tmp_path / "fasta").read_text().split("\n", 1)[0].split()[2] == "exon"
    assert "label=exon" in (tmp_path / "gff3").read_text()
    assert "\tregion\t" in (tmp_path / "gff3").read_text()
    scores = {line.split("\t")[4] for line in (tmp_path / "bed").read_text().splitlines()}
    assert scores == {"0"}


def test_train_needs_every_class(tmp_path: Path) -> None:
    write_sequences(tmp_path)
    lines = (tmp_path / "train.csv").read_text().splitlines()
    (tmp_path / "train.csv").write_text("\n".join(line for line in lines if not line.endswith(",10")) + "\n")
    with pytest.raises(UsageError, match=r"train has no sequence of class 10: give it .* of every class") as caught:
        build_classes(tmp_path, tmp_path / "dataset")
    assert caught.value.key == "sources.0.train"


def test_sequences_of_one_file_are_split_at_random(sequences: Path, tmp_path: Path) -> None:
    sources = [{"genome": "toy", "sequences": str(sequences / "train.csv")}]
    build_classes(sequences, tmp_path / "dataset", sources=sources, split={"by": "random"})
    splits = [TokenDataset.open(tmp_path / "dataset", name).labels for name in ("train", "validation", "test")]
    assert np.bincount(np.concatenate(splits)).tolist() == [30, 30, 30]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sources": [{"genome": "g", "fasta": "g.fa", "annotation": "g.gff"}]}, "an annotation gives no classes"),
        ({"negatives": {"ratio": 2.0}}, "negatives.ratio"),
        ({"crop": {"length": 100}}, "crop.length"),
        ({"labels": {"utr": "keep"}}, "labels.utr"),
        ({"classes": ["exon"]}, "classes"),
        ({"task": "recognise", "classes": ["a", "b"]}, "only task classify reads it"),
    ],
)
def test_keys_of_other_tasks_are_refused(tmp_path: Path, changed: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        validate(DatasetConfig, sections(tmp_path, **changed), "experiment.yaml")
