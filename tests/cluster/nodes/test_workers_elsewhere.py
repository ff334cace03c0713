"""Outputs at addresses where all workers are on other nodes, which see neither the copy of the command nor the store.

The head has no CPU, as on many clusters: what computes is on two nodes in whose mount namespaces one folder is empty.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.cluster import killed_commands
from tests.cluster.nodes.ray_nodes import ROOT, Cluster, head
from tests.cluster.verbs.test_annotate import bundle as structure_bundle
from tests.cluster.verbs.test_scan import bundle as recognition_bundle
from tests.conftest import make_genome
from tests.training.conftest import write_dataset

pytestmark = pytest.mark.full
LIMIT_S = 400
EXPERIMENT = {
    "model": {"embedding": 8, "hidden": 8, "stem": 8, "dropout": 0.0},
    "training": {
        "epochs": 6,
        "workers": 2,
        "global_batch_size": 2,
        "optimizer": "sgd",
        "learning_rate": 0.005,
        "checkpoint_steps": 25,
        "device": "cpu",
    },
    "tuning": {
        "space": {"model.hidden": [8, 12, 16]},
        "search": "grid",
        "scheduler": "none",
        "device_memory": "4GiB",
    },
}


@dataclass(frozen=True)
class Nodes:
    """A cluster whose workers are elsewhere.

    Attributes:
        cluster: it.
        inputs: folder that all nodes see.
        hidden: folder that only the head sees: a cache, and what stands for a store.
    """

    cluster: Cluster
    inputs: Path
    hidden: Path

    def start(self, *line: str | Path) -> subprocess.Popen[str]:
        """Start a verb on the head, as its client."""
        words = [*map(str, line), "--cluster.address", self.cluster.address]
        return subprocess.Popen(
            [sys.executable, "-m", "cluster", *words],
            env=self.cluster.environment(RAYGENE_CACHE=str(self.hidden / "cache")),
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def store(self, name: str) -> Path:
        """A folder of the store."""
        return self.hidden / "store" / name

    def address(self, name: str) -> str:
        """Its address."""
        return f"local://{self.store(name)}"

    def copied(self, pattern: str) -> list[Path]:
        """Files in the copies of commands that run."""
        return sorted((self.hidden / "cache" / "copies").glob(pattern))


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("mount namespaces cannot be made here: they need root")
    folder = tmp_path_factory.mktemp("elsewhere")
    hidden, inputs = folder / "hidden", folder / "inputs"
    hidden.mkdir()
    inputs.mkdir()
    (inputs / "experiment.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    write_dataset(inputs / "data")
    make_genome(inputs, chromosomes=4, bases=30_000)
    recognition_bundle(inputs / "recognition")
    structure_bundle(inputs / "structure")
    with head(folder, cpus=0) as cluster:
        cover = f'mount -t tmpfs none "{hidden}" && exec "$@"'
        # One after the other: two that start in the same moment choose the same ports.
        for _ in range(2):
            cluster.node(["unshare", "-m", "bash", "-c", cover, "node"], RAYGENE_CACHE=str(hidden / "cache"))
        yield Nodes(cluster, inputs, hidden)


def finish(process: subprocess.Popen[str]) -> str:
    return killed_commands.finish(process, LIMIT_S)[1]


def wait_until(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    killed_commands.wait_until(condition, process, LIMIT_S)


def train(nodes: Nodes, output: str | Path) -> tuple[str | Path, ...]:
    return ("train", nodes.inputs / "experiment.yaml", "--dataset", nodes.inputs / "data", "--output", output)


def weights(run: Path) -> bytes:
    return (run / "bundle" / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def expected(nodes: Nodes) -> bytes:
    """The weights of a run whose folder all nodes see."""
    finish(nodes.start(*train(nodes, nodes.inputs / "run")))
    return weights(nodes.inputs / "run")


def test_a_run_is_the_same_after_kills_of_a_worker_and_of_the_driver(nodes: Nodes, expected: bytes) -> None:
    process = nodes.start(*train(nodes, nodes.address("run")))
    worker = r"worker 1 of 2: process (\d+)"

    def log() -> str:
        return "".join(path.read_text() for path in nodes.copied("*/train.log"))

    wait_until(lambda: nodes.copied("*/checkpoints-*/*.pt"), process)
    os.kill(int(re.findall(worker, log())[-1]), signal.SIGKILL)
    wait_until(lambda: "a worker was lost; resuming from the checkpoint at" in log(), process)
    killed_commands.kill(process)
    assert not nodes.store("run/bundle").exists()
    finish(nodes.start(*train(nodes, nodes.address("run"))))

    assert weights(nodes.store("run")) == expected
    for name in ("metrics.jsonl", "steps.jsonl"):
        lines = [(folder / "run" / name).read_text().count("\n") for folder in (nodes.store("."), nodes.inputs)]
        assert lines[0] == lines[1] > 0
    assert len(list(nodes.store("run").glob("checkpoints-*/*.pt"))) == 2
    assert len(list(nodes.store("run").glob("embeddings/*"))) == 1
    assert list(nodes.store("run").glob("tensorboard/*/*"))
    assert "nothing to do" in finish(nodes.start(*train(nodes, nodes.address("run"))))


def test_a_run_that_is_interrupted_saves_before_it_stops_and_resumes(nodes: Nodes, expected: bytes) -> None:
    process = nodes.start(*train(nodes, nodes.address("interrupted")))
    wait_until(lambda: nodes.copied("*/steps.jsonl"), process)
    process.send_signal(signal.SIGINT)
    assert "is saved" in process.communicate(timeout=LIMIT_S)[1]
    assert process.returncode == 130
    assert "resuming from the checkpoint" in finish(nodes.start(*train(nodes, nodes.address("interrupted"))))
    assert weights(nodes.store("interrupted")) == expected


@pytest.mark.parametrize(
    ("verb", "bundle", "results"),
    [
        ("scan", "recognition/bundle", ["genes.bed", "genes.gff3", "genes.minus.bedgraph", "genes.plus.bedgraph"]),
        ("annotate", "structure/bundle", ["genes.gff3"]),
    ],
)
def test_genes_are_the_same_after_a_kill(nodes: Nodes, verb: str, bundle: str, results: list[str]) -> None:
    line = (verb, nodes.inputs / bundle, "--fasta", nodes.inputs / "genome.fa", "--output")
    finish(nodes.start(*line, nodes.inputs / verb / "genes.gff3"))
    process = nodes.start(*line, f"{nodes.address(verb)}/genes.gff3")
    wait_until(lambda: nodes.copied("*/*genes.*/*") or nodes.store(f"{verb}/genes.gff3").exists(), process)
    killed_commands.kill(process)
    finish(nodes.start(*line, f"{nodes.address(verb)}/genes.gff3"))
    for name in results:
        assert (nodes.store(verb) / name).read_bytes() == (nodes.inputs / verb / name).read_bytes()


def test_a_profile_has_a_trace_of_every_worker(nodes: Nodes) -> None:
    line = ("profile", nodes.inputs / "experiment.yaml", "--dataset", nodes.inputs / "data", "--steps", "10")
    process = nodes.start(*line, "--output", nodes.address("profile"))
    shown, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, errors[-3000:]
    for rank in range(2):
        assert (nodes.store("profile") / f"trace-worker-{rank}.json.gz").stat().st_size
        assert f"{nodes.address('profile')}/trace-worker-{rank}.json.gz" in shown


def tune(nodes: Nodes, output: str | Path, workers: int) -> tuple[str | Path, ...]:
    flags = ("--tuning.workers", str(workers), "--training.epochs", "2", "--output", output)
    return ("tune", nodes.inputs / "experiment.yaml", "--dataset", nodes.inputs / "data", *flags)


def test_a_study_is_the_same_after_a_kill(nodes: Nodes) -> None:
    finish(nodes.start(*tune(nodes, nodes.inputs / "study", 1)))
    process = nodes.start(*tune(nodes, nodes.address("study"), 1))
    wait_until(lambda: nodes.copied("*/trials/*/epochs.jsonl"), process)
    killed_commands.kill(process)
    assert not nodes.store("study/best").exists()
    finish(nodes.start(*tune(nodes, nodes.address("study"), 1)))
    assert weights(nodes.store("study/best")) == weights(nodes.inputs / "study" / "best")


def test_trials_of_several_workers_are_refused(nodes: Nodes) -> None:
    process = nodes.start(*tune(nodes, nodes.address("workers"), 2))
    assert "error: tuning.workers 2: --output is an address" in process.communicate(timeout=LIMIT_S)[1]
    assert process.returncode == 2


def test_a_study_that_would_build_its_datasets_elsewhere_is_refused(nodes: Nodes) -> None:
    source = {"genome": "toy", "fasta": str(nodes.inputs / "genome.fa"), "annotation": str(nodes.inputs / "genes.gff3")}
    path = nodes.inputs / "with_sources.yaml"
    path.write_text(yaml.safe_dump({**EXPERIMENT, "sources": [source]}))
    process = nodes.start("tune", path, "--output", nodes.address("refused"))
    assert "--output: an address, and the study would build its datasets" in process.communicate(timeout=LIMIT_S)[1]
    assert process.returncode == 2
