"""A node that is killed while a verb works: the verb goes on to the same result, or ends in a line with what to do.

Nothing waits for ever, neither for the work of the lost node nor for one in its place.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from pipelines.build import task_plan
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.ray_map.nodes import RETURN_VARIABLE
from tests.cluster.nodes.losing_nodes import TIMEOUT_S, kill_node, suspend_during
from tests.cluster.nodes.ray_nodes import ROOT, Cluster, head
from tests.conftest import make_genome
from tests.training import small_structure
from tests.training.conftest import write_dataset
from tests.training.small_bundle import small_bundle
from training.config import ModelConfig
from training.decoding.settings import Minimum, Settings, Weights

pytestmark = pytest.mark.full
# An untrained model says nothing: what decides is that genes are worth much.
EAGER = Settings(weights=Weights(state=0.0, gene=30.0), minimum=Minimum(coding=9))
RETURN_S = 15
Start = Callable[[Sequence[str], Cluster | None], subprocess.Popen[str]]


@dataclass(frozen=True)
class Case:
    """A verb, and how to tell that a node works for it.

    Attributes:
        arguments: of the verb up to the value of its option of outputs, with names of `inputs`.
        output: name of the output in a folder of the test's own.
        results: files that must not depend on where they were computed.
        work: part of the title of a process of Ray that computes; empty: there is none.
        workers: option of the number of workers; empty: there is none.
        begun: a file that there is once the work has begun; empty: it has as soon as a process has that title.
    """

    arguments: Sequence[str]
    output: str
    results: str
    work: str = ""
    workers: str = ""
    begun: str = ""

    def command(self, folder: Path, workers: int | None = None) -> list[str]:
        """Its command line.

        Args:
            folder: of the output.
            workers: number of workers, where it has them; None: as it decides.
        """
        option = [self.workers, str(workers)] if self.workers and workers else []
        return [*self.arguments, str(folder / self.output), *option]


DEVICE, POOL = ["--device", "cpu"], "MapWorker.map"
EXPERIMENT = ["experiment.yaml", "--dataset", "dataset", "--output"]
SLOW = [f"slow-{number}" for number in range(4)]
CASES = {
    "build": Case(["build", "experiment.yaml", "--output"], "data", "data/**/*.*", "Map("),
    "train": Case(
        ["train", *EXPERIMENT],
        *("run", "run/bundle/model.safetensors", "RayTrainWorker", "--training.workers", "run/metrics.jsonl"),
    ),
    "tune": Case(
        ["tune", *EXPERIMENT],
        *("study", "study/best/bundle/model.safetensors", "ImplicitFunc.train", "", "study/trials/*/epochs.jsonl"),
    ),
    "embed": Case(
        ["embed", "experiment.yaml", "--dataset", "dataset", "--output", "vectors", "--json"],
        *("figures.json", "figures.json"),
    ),
    # A model is a task of its own, however few the rows.
    "evaluate": Case(
        ["evaluate", *SLOW, "--dataset", "dataset", *DEVICE, "--predictions"],
        *("scores.tsv", "scores.tsv", POOL, "--workers"),
    ),
    "scan": Case(
        ["scan", "bundle", "--fasta", "genome.fa", *DEVICE, "--output"],
        *("genes.gff3", "genes.*", POOL, "--workers"),
    ),
    "annotate": Case(
        ["annotate", "structure", "--fasta", "genome.fa", *DEVICE, "--output"],
        *("genes.gff3", "genes.gff3", POOL, "--workers"),
    ),
    # Each sequence is a task of its own, and takes some seconds.
    "predict": Case(
        ["predict", SLOW[0], "--fasta", "wide.fa", "--intervals", "wide.bed", *DEVICE, "--output"],
        *("scores.tsv", "scores.*", POOL, "--workers"),
    ),
}
WITH_RAY = [verb for verb, case in CASES.items() if case.work]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the verbs read."""
    folder = tmp_path_factory.mktemp("inputs")
    genome = make_genome(folder, chromosomes=6, bases=300_000)
    source = {"fasta": str(genome.fasta), "annotation": str(genome.annotation)}
    dataset = write_dataset(folder / "dataset", rows=400)
    manifest = json.loads((dataset / "manifest.json").read_text())
    (dataset / "manifest.json").write_text(json.dumps(manifest | {"counts": []}))
    bundle = small_bundle(TokenDataset.open(dataset, "train"))
    bundle.config["dataset"]["config"] |= {
        "crop": {"length": 120, "position": "random"},
        "negatives": {"kinds": dict.fromkeys(("shuffle", "antisense", "partial"), 1.0)},
    }
    bundle.save(folder / "bundle")
    slow = small_bundle(TokenDataset.open(dataset, "train"), ModelConfig(embedding=8, hidden=512, stem=8))
    for name in SLOW:
        slow.save(folder / name)
    small_structure.saved(folder / "structure", EAGER)
    write_wide_genome(folder)
    values = {
        "sources": [source | {"genome": f"toy-{number}"} for number in range(3)],
        "crop": {"length": 120},
        "split": {"test": ["chr4"], "validation": ["chr3"]},
        "model": {"embedding": 8, "hidden": 8, "stem": 8, "dropout": 0.0},
        "embedding": {"epochs": 10, "head_positions": 2000, "scored": 1000},
        "training": {"epochs": 6, "global_batch_size": 8, "seed": 5, "device": "cpu", "tensorboard": False},
        "tuning": {
            "space": {"model.hidden": [8, 12]},
            "search": "grid",
            "scheduler": "none",
            "device_memory": "4GiB",
        },
    }
    (folder / "experiment.yaml").write_text(yaml.safe_dump(values))
    return folder


def write_wide_genome(folder: Path) -> None:
    """Write `wide.fa` and `wide.bed`: a few intervals on sequences of as many bases as a task has at most."""
    bases, intervals = task_plan.TASK_BASES, 100
    letters = np.random.default_rng(0).choice(np.frombuffer(b"ACGT", np.uint8), (4, bases))
    with (folder / "wide.fa").open("wb") as fasta, (folder / "wide.bed").open("w") as bed:
        for number, sequence in enumerate(letters):
            fasta.write(f">{number}\n".encode() + sequence.tobytes() + b"\n")
            for start in range(0, bases, bases // intervals):
                bed.write(f"{number}\t{start}\t{start + 120}\t{number}.{start}\t0\t+\n")


@pytest.fixture
def start(inputs: Path) -> Iterator[Start]:
    """A function that starts a verb in the folder of the inputs, as a client of a cluster or by itself."""
    drivers: list[subprocess.Popen[str]] = []

    def started(command: Sequence[str], cluster: Cluster | None) -> subprocess.Popen[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        environment = cluster.environment(RAY_ADDRESS=cluster.address) if cluster else clean
        environment |= {"PYTHONPATH": str(ROOT), RETURN_VARIABLE: str(RETURN_S)}
        driver = subprocess.Popen(
            [sys.executable, "-m", "raygene", *command],
            env=environment,
            cwd=inputs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        drivers.append(driver)
        return driver

    yield started
    for driver in drivers:
        driver.kill()


def lose(cluster: Cluster, case: Case, folder: Path, driver: subprocess.Popen[str]) -> None:
    """Kill the node that joined last while it works for a verb that writes to a folder."""
    node = cluster.processes[-1]
    deadline = time.monotonic() + TIMEOUT_S
    while case.begun and not any(folder.glob(case.begun)):
        assert driver.poll() is None, f"it ended before its work had begun: {driver.communicate()}"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    if case.work:
        suspend_during(node.pid, case.work, driver)
    kill_node(cluster, node)


def end(driver: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit status and output of a verb that ends within minutes, and without a traceback."""
    output = "\n".join(driver.communicate(timeout=TIMEOUT_S))
    assert "Traceback" not in output, output
    return driver.returncode, output


def require_same(verb: str, folder: Path, expected: Path) -> None:
    """Check that the results of a verb are those of an undisturbed run."""
    paths = sorted(path.relative_to(expected) for path in expected.glob(CASES[verb].results) if path.is_file())
    assert paths
    for path in paths:
        if verb == "train":
            # Sums of gradients depend in their last bits on the number of workers.
            tensors, others = (load_file(root / path) for root in (folder, expected))
            for name, tensor in others.items():
                torch.testing.assert_close(tensors[name], tensor, rtol=1e-3, atol=1e-4)
        else:
            assert (folder / path).read_bytes() == (expected / path).read_bytes(), path


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A head with one CPU; each test has a second node join, and loses it."""
    with head(tmp_path_factory.mktemp("head"), cpus=1) as started:
        yield started


@pytest.mark.parametrize("verb", CASES)
def test_a_verb_that_loses_a_node_has_the_same_result(
    cluster: Cluster, start: Start, tmp_path: Path, verb: str
) -> None:
    case = CASES[verb]
    # What a cluster is not needed for is done by the command's own process.
    status, output = end(start(case.command(tmp_path / "undisturbed"), cluster if verb == "tune" else None))
    assert status == 0, output
    cluster.node()
    folder = tmp_path / "disturbed"
    driver = start(case.command(folder, 2), cluster)
    lose(cluster, case, folder, driver)
    status, output = end(driver)
    if verb == "train":
        assert status == 1, output
        assert "a node of the cluster was lost: training needs 2 workers with 1 CPU each" in " ".join(output.split())
        status, output = end(start(case.command(folder, 1), None))
    assert status == 0, output
    require_same(verb, folder, tmp_path / "undisturbed")


@pytest.fixture(scope="module")
def empty_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A head without a CPU; each test has a node with one join, and loses it."""
    with head(tmp_path_factory.mktemp("empty-head"), cpus=0) as started:
        yield started


@pytest.mark.parametrize("verb", WITH_RAY)
def test_a_verb_that_loses_its_only_node_ends_in_a_line_that_says_what_to_do(
    empty_cluster: Cluster, start: Start, tmp_path: Path, verb: str
) -> None:
    empty_cluster.node()
    driver = start(CASES[verb].command(tmp_path, 1), empty_cluster)
    lose(empty_cluster, CASES[verb], tmp_path, driver)
    status, output = end(driver)
    assert status == 1, output
    errors = [line for line in output.splitlines() if "error:" in line]
    assert len(errors) == 1, output
    assert "0 CPUs and 0 GPUs on 1 node are left: add a node, then run the same command to resume" in errors[0]
