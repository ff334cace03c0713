from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.stores.store import Store


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store on this disk, through the driver of fsspec for local files, and an empty cache."""
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "cache"))
    return Store(f"local://{tmp_path}/bucket/folder")
