from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import DatasetError
from tests.pipelines.build.gene_genomes import make_gene_genome, structure_config, write_dataset
from training.structure.batch import collate
from training.structure.windows import Windows


def test_windows_are_those_of_an_open_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "cache"))
    write_dataset(structure_config(make_gene_genome(tmp_path / "genome")), tmp_path / "data")
    dataset = TokenDataset.open(tmp_path / "data", "train")
    windows = Windows.of(dataset)
    assert len(windows) == len(dataset)
    rows = np.arange(len(dataset))
    batch = collate(windows, rows, np.zeros(len(rows), np.int64), np.zeros(len(rows), bool))
    assert batch.tokens.tolist() == dataset.tokens.tolist()
    assert dataset.states is not None
    assert batch.states.tolist() == dataset.states.tolist()


def test_a_dataset_for_recognition_has_no_windows(train_split: TokenDataset) -> None:
    with pytest.raises(DatasetError, match="no states of bases"):
        Windows.of(train_split)
