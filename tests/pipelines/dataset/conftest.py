from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.dataset.parts import Part
from tests.pipelines.dataset.split_files import part


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for one test."""
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "datasets"


@pytest.fixture
def parts(tmp_path: Path) -> list[Part]:
    return [part(tmp_path / "data" / f"part-{number}.parquet", seed=number) for number in range(3)]
