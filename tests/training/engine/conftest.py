"""A dataset of short sequences: how a run continues, stops or is divided does not depend on their length."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.dataset.token_dataset import TokenDataset
from tests.training.conftest import write_dataset


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("tokens") / "short", longest=100)


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> tuple[TokenDataset, TokenDataset]:
    """40 short rows, and 10 of validation, for what depends on the number of steps only."""
    dataset = write_dataset(tmp_path_factory.mktemp("few") / "rows", rows=40, longest=50)
    return TokenDataset.open(dataset, "train"), TokenDataset.open(dataset, "validation")
