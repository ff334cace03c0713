"""A dataset of short sequences: how a run continues, stops or is divided does not depend on their length."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.conftest import write_dataset


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("tokens") / "short", longest=100)
