"""Runs, studies and scans in an S3 store, with real kills: the same bytes as on a disk, and nothing left here."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pipelines.stores.store import Store
from tests.cluster.killed_commands import Command, run
from tests.cluster.verbs.test_scan import bundle
from tests.conftest import make_genome
from tests.training.conftest import write_dataset

pytestmark = [pytest.mark.full, pytest.mark.ray]
EXPERIMENT = {
    "model": {"embedding": 8, "hidden": 8, "stem": 8, "dropout": 0.0},
    "training": {
        "epochs": 6,
        "global_batch_size": 2,
        "optimizer": "sgd",
        "learning_rate": 0.005,
        "checkpoint_steps": 25,
        "device": "cpu",
        "tensorboard": False,
    },
    "tuning": {
        "space": {"model.hidden": [8, 12, 16]},
        "search": "grid",
        "scheduler": "none",
        "device_memory": "4GiB",
        "concurrent": 1,
    },
}


@pytest.fixture
def here(tmp_path: Path, s3: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An experiment and a dataset, an empty cache, and an empty working directory that stays empty."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RAY_worker_niceness", "0")
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    write_dataset(tmp_path / "data")
    yield tmp_path
    assert list((tmp_path / "empty").iterdir()) == []
    assert list((tmp_path / "cache" / "copies").glob("*/*")) == []


def name_in(store: Store, pattern: str) -> bool:
    return any(re.fullmatch(pattern, name) for name in store.list())


def train(here: Path, output: str | Path) -> tuple[str | Path, ...]:
    flags = ("--training.workers", "2", "--cluster.cpus", "2")
    return ("train", here / "experiment.yaml", "--dataset", here / "data", "--output", output, *flags)


def copied_log(here: Path) -> str:
    return "".join(path.read_text() for path in (here / "cache" / "copies").glob("*/train.log"))


def test_a_run_of_two_workers_is_the_same_after_kills_of_a_worker_and_of_the_driver(here: Path) -> None:
    run(*train(here, here / "local"))
    expected = (here / "local" / "bundle" / "model.safetensors").read_bytes()
    store = Store("s3://data/runs/killed")

    command = Command(*train(here, store.address))
    worker = r"worker 1 of 2: process (\d+)"
    command.wait_until(lambda: re.search(worker, copied_log(here)))
    os.kill(int(re.findall(worker, copied_log(here))[-1]), signal.SIGKILL)
    command.wait_until(lambda: name_in(store, r"checkpoints-[^/]+/.*\.pt"))
    command.kill()
    assert not store.exists("bundle/config.json")
    assert "already" not in run(*train(here, store.address))[1]

    assert store.read("bundle/model.safetensors", 1 << 30) == expected
    assert "nothing to do" in run(*train(here, store.address))[1]


def test_a_study_goes_on_from_the_store_when_its_driver_was_killed(here: Path) -> None:
    def tune(output: str | Path) -> tuple[str | Path, ...]:
        line = ("tune", here / "experiment.yaml", "--dataset", here / "data", "--output", output)
        return (*line, "--cluster.cpus", "2", "--training.epochs", "2")

    run(*tune(here / "local"))
    store = Store("s3://data/studies/killed")
    command = Command(*tune(store.address))
    command.wait_until(lambda: name_in(store, r"trials/[^/]+/epochs\.jsonl"))
    command.kill()
    run(*tune(store.address))
    assert (
        store.read("best/bundle/model.safetensors", 1 << 30)
        == (here / "local" / "best" / "bundle" / "model.safetensors").read_bytes()
    )
    assert "Trials" in run(*tune(store.address), "--report-only")[0]


def test_a_scan_goes_on_from_the_store_when_it_was_killed(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = bundle(here / "model")
    made = make_genome(here / "genome", bases=150_000)

    def scan(output: str | Path) -> tuple[str | Path, ...]:
        line = ("scan", model, "--fasta", made.fasta, "--output", output)
        return (*line, "--stride", "20", "--cluster.cpus", "2")

    run(*scan(here / "local" / "genes.gff3"))
    folder = Store("s3://data/scans/killed")
    place, _, query = folder.address.partition("?")
    command = Command(*scan(f"{place}/genes.gff3?{query}"))
    command.wait_until(lambda: name_in(folder, r"\.genes\.gff3\.building.*") or folder.exists("genes.gff3"))
    command.kill()
    run(*scan(f"{place}/genes.gff3?{query}"))
    for path in (here / "local").iterdir():
        if path.is_file() and path.suffix != ".json":
            assert folder.read(path.name, 1 << 30) == path.read_bytes()
