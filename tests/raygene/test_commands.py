from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import raygene
from raygene import commands
from tests.training.conftest import write_dataset
from tests.training.small_bundle import small_bundle

SEQUENCES = {"a": "ATGGCGTGCAAGTAA", "b": "acgtnacgtn", "c": "GGGTTTAAACCC" * 9}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    dataset = raygene.TokenDataset.open(write_dataset(folder / "dataset"), "train")
    small_bundle(dataset).save(folder / "bundle")
    return folder / "bundle"


@pytest.fixture
def fasta(tmp_path: Path) -> Path:
    path = tmp_path / "sequences.fa"
    path.write_text("".join(f">{name}\n{text}\n" for name, text in SEQUENCES.items()))
    return path


def test_predict_writes_the_probabilities_that_score_gives(bundle: Path, fasta: Path, tmp_path: Path) -> None:
    bed, tsv = raygene.predict(bundle, tmp_path / "scored.tsv", sequences=fasta)
    rows = [line.split("\t") for line in tsv.read_text().splitlines()[1:]]
    assert bed.exists()
    assert [row[0] for row in rows] == list(SEQUENCES)
    expected = raygene.load(bundle).score(SEQUENCES.values())
    np.testing.assert_allclose([float(row[6]) for row in rows], expected, atol=1e-6)


def test_an_error_is_raised_as_one_line(fasta: Path, tmp_path: Path) -> None:
    with pytest.raises(raygene.RaygeneError, match="no model bundle there") as caught:
        raygene.annotate(tmp_path / "none", fasta, tmp_path / "genes.gff3")
    assert "\n" not in str(caught.value)


def test_an_unknown_argument_is_an_error_of_the_family() -> None:
    with pytest.raises(raygene.RaygeneError, match="unknown argument --no-such"):
        raygene.run("inspect", "--no-such", "data")


def test_options_that_are_left_out_are_not_on_the_command_line() -> None:
    values = {"gtf": None, "orfs": False, "discard-scores": True, "min-score": 0.5, "fasta": Path("g.fa")}
    assert commands._flags(values) == ["--discard-scores", "--min-score", "0.5", "--fasta", "g.fa"]


def test_keys_become_flags_as_the_experiment_would_have_them() -> None:
    keys = {"training.epochs": 3, "split.test": ["chr1", "chr2"], "training.precision": "bf16", "tokenizer.from": None}
    expected = ["--training.epochs", "3", "--split.test", "chr1", "chr2", "--training.precision", "bf16"]
    assert commands._keys(keys) == [*expected, "--tokenizer.from", "null"]
