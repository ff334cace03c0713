"""The whole chain on S3, from inputs to gene calls, with a kill in every stage that resumes: the bytes of a local run.

Each stage reads what the stage before has put into the store. The working directory stays empty, and the cache keeps no
copy of an output.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.stores.store import Store
from tests.cluster.killed_commands import Command, run
from tests.conftest import GenomeFiles, make_genome
from tests.s3_server import environment

pytestmark = [pytest.mark.full, pytest.mark.ray]
EXPERIMENT: dict[str, Any] = {
    "crop": {"length": 120, "position": "random"},
    "negatives": {"kinds": ["shuffle", "antisense", "partial"]},
    "tokenizer": {"k": 3, "stride": 1},
    "split": {"test": ["chr4"], "validation": ["chr3"]},
    "model": {"embedding": 8, "hidden": 8, "stem": 8, "dropout": 0.0},
    "training": {
        "epochs": 6,
        "global_batch_size": 4,
        "optimizer": "sgd",
        "learning_rate": 0.005,
        "checkpoint_steps": 50,
        "device": "cpu",
        "tensorboard": False,
    },
    "tuning": {
        "space": {"model.hidden": [8, 12]},
        "search": "grid",
        "scheduler": "none",
        "device_memory": "4GiB",
        "concurrent": 1,
    },
}
LARGEST = 1 << 30


@dataclass(frozen=True)
class Places:
    """Where the same things lie on the disk and in the store.

    Attributes:
        disk: the directory.
        store: the folder.
        cache: of this node.
    """

    disk: Path
    store: Store
    cache: Path

    def address(self, name: str) -> str:
        """Of a file or folder in the store, without what the environment says of the store."""
        return f"{self.store.shown}/{name}"

    def require_equal(self, name: str) -> None:
        """A file, or every file of a folder, has the bytes of the one on the disk."""
        local = self.disk / name
        files = [path for path in local.rglob("*") if path.is_file()] if local.is_dir() else [local]
        assert files
        for path in files:
            stored = path.relative_to(self.disk).as_posix()
            assert self.store.read(stored, LARGEST) == path.read_bytes(), stored

    def has(self, pattern: str) -> bool:
        """Whether a file of the store has a name that a pattern fits."""
        return any(re.fullmatch(pattern, name) for name in self.store.list())


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> GenomeFiles:
    return make_genome(tmp_path_factory.mktemp("genome"), bases=30_000)


@pytest.fixture(scope="module")
def places(genome: GenomeFiles, s3_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """Inputs on the disk and in the store, an empty cache and an empty working directory."""
    folder, empty = tmp_path_factory.mktemp("chain"), tmp_path_factory.mktemp("empty")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(s3_server).items():
            patch.setenv(name, value)
        patch.setenv("RAYGENE_CACHE", str(folder / "cache"))
        patch.setenv("RAY_worker_niceness", "0")
        patch.chdir(empty)
        made = Places(folder, Store("s3://data/chain"), folder / "cache")
        sources = {"fasta": genome.fasta, "annotation": genome.annotation}
        for where in ("disk", "store"):
            files = {
                name: str(path) if where == "disk" else made.address(f"inputs/{path.name}")
                for name, path in sources.items()
            }
            text = yaml.safe_dump({"sources": [{"genome": "toy", **files}], **EXPERIMENT})
            if where == "disk":
                (folder / "experiment.yaml").write_text(text)
            else:
                made.store.write("experiment.yaml", text.encode())
        for path in sources.values():
            made.store.upload(path, f"inputs/{path.name}")
        yield made
        assert list(empty.iterdir()) == []


@pytest.fixture(autouse=True)
def _nothing_is_left(places: Places) -> Iterator[None]:
    """After each stage the cache has no copy of an output, and the store no lease and no unfinished part."""
    yield
    for folder in ("copies", "staging"):
        assert [path for path in (places.cache / folder).glob("*") if path.is_dir()] == []
    assert not [name for name in places.store.list() if "lease" in name or ".building" in name or ".records" in name]


@pytest.fixture(scope="module")
def dataset(places: Places) -> str:
    """Built on the disk, and in the store, where Ray is killed as soon as negatives are placed."""
    run("build", places.disk / "experiment.yaml", "--output", places.disk / "dataset")
    output = places.address("dataset")
    line = ("build", places.address("experiment.yaml"), "--output", output, "--cluster.engine", "ray")
    killed = Command(*line, "--cluster.cpus", "2")
    killed.wait_until(lambda: places.has(r"dataset/\.building-.*/\.records/intervals-.*\.arrow"))
    assert "raylet" in (errors := killed.kill_ray()) or "gcs_server" in errors
    assert killed.process.returncode == 1
    assert not places.store.exists("dataset/manifest.json")
    run(*line, "--cluster.cpus", "2")
    return output


@pytest.fixture(scope="module")
def model(places: Places, dataset: str) -> str:
    """Trained by two workers on the disk, and in the store, where one worker and then the command are killed."""

    def train(experiment: str | Path, data: str | Path, output: str | Path) -> tuple[str | Path, ...]:
        flags = ("--training.workers", "2", "--cluster.cpus", "2")
        return ("train", experiment, "--dataset", data, "--output", output, *flags)

    run(*train(places.disk / "experiment.yaml", places.disk / "dataset", places.disk / "run"))
    line = train(places.address("experiment.yaml"), dataset, places.address("run"))

    def workers() -> list[str]:
        logs = "".join(path.read_text() for path in (places.cache / "copies").glob("*/train.log"))
        return re.findall(r"worker 1 of 2: process (\d+)", logs)

    killed = Command(*line)
    killed.wait_until(workers)
    os.kill(int(workers()[-1]), signal.SIGKILL)
    killed.wait_until(lambda: places.has(r"run/checkpoints-[^/]+/.*\.pt"))
    killed.kill()
    assert not places.store.exists("run/bundle/config.json")
    run(*line)
    return places.address("run/bundle")


def test_a_build_whose_ray_was_killed_ends_in_the_dataset_of_a_local_one(places: Places, dataset: str) -> None:
    places.require_equal("dataset")
    assert "up to date" in run("build", places.address("experiment.yaml"), "--output", dataset)[1]


def test_a_dataset_in_the_store_is_inspected_as_the_local_one(places: Places, dataset: str) -> None:
    for data, output in ((places.disk / "dataset", places.disk), (dataset, places.store.shown)):
        run(
            "inspect",
            data,
            "--json",
            f"{output}/inspected.json",
            "--export",
            "bed",
            "--export-to",
            f"{output}/rows.bed",
        )
    places.require_equal("rows.bed")
    places.require_equal("inspected.json")


def test_two_workers_and_a_dataset_in_the_store_end_in_the_local_weights_after_kills(
    places: Places, model: str
) -> None:
    places.require_equal("run/bundle/model.safetensors")
    places.require_equal("run/bundle/tokenizer.json")


def test_a_model_in_the_store_is_evaluated_as_the_local_one(places: Places, model: str, dataset: str) -> None:
    places_of = ((places.disk / "run" / "bundle", places.disk / "dataset", places.disk), (model, dataset, places.store))
    for bundle, data, output in places_of:
        names = {"--json": "evaluated.json", "--predictions": "scored.tsv", "--report": "page.html"}
        run("evaluate", bundle, "--dataset", data, *(f"{flag}={output}/{name}" for flag, name in names.items()))
    for name in ("evaluated.json", "scored.tsv", "mistakes-test.bed"):
        places.require_equal(name)
    assert places.store.exists("page.html")


def test_intervals_in_the_store_are_predicted_as_local_ones(places: Places, model: str, genome: GenomeFiles) -> None:
    stored = {path: places.address(f"inputs/{path.name}") for path in (genome.fasta, genome.annotation)}
    for bundle, fasta, intervals, output in (
        (places.disk / "run" / "bundle", genome.fasta, genome.annotation, places.disk),
        (model, *stored.values(), places.store),
    ):
        line = ("predict", bundle, "--fasta", fasta, "--intervals", intervals)
        run(*line, "--output", f"{output}/genes.tsv")
    places.require_equal("genes.tsv")


def test_a_scan_that_was_killed_ends_in_the_calls_of_a_local_one(
    places: Places, model: str, genome: GenomeFiles
) -> None:
    def scan(bundle: str | Path, fasta: str | Path, output: str | Path) -> tuple[str | Path, ...]:
        flags = ("--stride", "20", "--cluster.cpus", "2", "--cluster.engine", "ray")
        return ("scan", bundle, "--fasta", fasta, "--output", output, *flags)

    run(*scan(places.disk / "run" / "bundle", genome.fasta, places.disk / "calls" / "genes.gff3"))
    line = scan(model, places.address(f"inputs/{genome.fasta.name}"), places.address("calls/genes.gff3"))
    killed = Command(*line)
    killed.wait_until(lambda: places.has(r"calls/\.genes\.gff3\.building.*") or places.has(r"calls/genes\.gff3"))
    killed.kill()
    run(*line)
    names = [path.name for path in (places.disk / "calls").iterdir() if path.is_file() and path.suffix != ".json"]
    assert len(names) >= 4
    for name in names:
        places.require_equal(f"calls/{name}")


def test_a_study_whose_driver_was_killed_ends_in_the_best_model_of_a_local_one(places: Places, dataset: str) -> None:
    def tune(experiment: str | Path, data: str | Path, output: str | Path) -> tuple[str | Path, ...]:
        flags = ("--cluster.cpus", "2", "--training.epochs", "2")
        return ("tune", experiment, "--dataset", data, "--output", output, *flags)

    run(*tune(places.disk / "experiment.yaml", places.disk / "dataset", places.disk / "study"))
    line = tune(places.address("experiment.yaml"), dataset, places.address("study"))
    killed = Command(*line)
    killed.wait_until(lambda: places.has(r"study/trials/[^/]+/epochs\.jsonl"))
    killed.kill()
    run(*line)
    places.require_equal("study/best/bundle/model.safetensors")
    texts = ((places.disk / "study" / "trials.jsonl").read_text(), places.store.read("study/trials.jsonl").decode())
    local, stored = ([json.loads(line) for line in text.splitlines()] for text in texts)
    for name in ("key", "state", "validation_auroc", "train_auroc"):
        assert [row[name] for row in local] == [row[name] for row in stored]
