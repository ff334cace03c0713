"""Builds into a store: the bytes of a local build, resumed from their records, and nothing left on the node."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from pipelines.build import task_plan
from pipelines.build.pipeline import build
from pipelines.dataset import location
from pipelines.dataset.manifest import MANIFEST
from pipelines.progress import Silent
from pipelines.splits import similar
from pipelines.stores.store import Store
from tests.conftest import GenomeFiles, make_genome
from tests.pipelines.build.builds import EXACT_CROP, bytes_of, dataset_config, start_build

pytestmark = pytest.mark.ray


class Noted(Silent):
    """Remembers what is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_a_store_holds_the_bytes_of_a_local_build(
    genome: GenomeFiles, tmp_path: Path, ray_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_plan, "TASK_BASES", 20_000)
    # Several ranges to compare: on the cluster where the output is local, on the driver where it is a store.
    monkeypatch.setattr(similar, "SAMPLES_IN_TASK", 5_000)
    config = dataset_config(genome, crop=EXACT_CROP)
    build(config, tmp_path / "local", ray_session, Silent())
    store, progress = Store(f"local://{tmp_path}/bucket/dataset"), Noted()
    build(config, store, ray_session, progress)
    assert bytes_of(tmp_path / "bucket" / "dataset") == bytes_of(tmp_path / "local")
    assert bytes_of(location.local(store.address)) == bytes_of(tmp_path / "local")
    build(config, store, ray_session, progress)
    assert progress.notes[-1] == f"{store} is up to date"


@pytest.mark.full
def test_a_build_on_s3_that_was_killed_resumes_to_the_bytes_of_a_local_one(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "cache"))
    config = dataset_config(make_genome(tmp_path / "large", chromosomes=6, bases=150_000), crop=EXACT_CROP)
    assert start_build(config, tmp_path / "local", 2).wait(240) == 0
    store = Store("s3://data/killed/dataset")
    killed = start_build(config, "s3://data/killed/dataset", 2)
    records = _wait_for_records(store, killed.poll)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not store.exists(MANIFEST)
    assert start_build(config, "s3://data/killed/dataset", 2).wait(240) == 0
    assert set(store.list()) == set(bytes_of(tmp_path / "local"))
    assert bytes_of(location.local(store.address)) == bytes_of(tmp_path / "local")
    assert len(records) >= 3
    assert not list((tmp_path / "cache" / "staging").iterdir())


def _wait_for_records(store: Store, poll: Any) -> list[str]:
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and poll() is None:
        records = [name for name in store.list() if "/.records/" in name and name.endswith(".json")]
        if len(records) >= 3:
            return records
        time.sleep(0.02)
    raise AssertionError("the build ended before it could be killed")
