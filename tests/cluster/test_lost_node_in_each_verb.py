"""A node that is killed while a verb works: the verb goes on to the same result, or ends in a line with what to do.

Nothing waits for ever, neither for the work of the lost node nor for one in its place.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.dataset.token_dataset import TokenDataset
from tests.cluster.losing_nodes import TIMEOUT_S, kill_node, suspend_during
from tests.cluster.ray_nodes import ROOT, Cluster, head
from tests.conftest import make_genome
from tests.training.conftest import write_dataset
from tests.training.small_bundle import small_bundle

pytestmark = pytest.mark.full
RETURN_S = 15


@dataclass(frozen=True)
class Case:
    """A verb, and how to tell that a node works for it.

    Attributes:
        arguments: of the verb up to the value of its option of outputs, with names of `inputs`.
        output: name of the output in a folder of the test's own.
        results: files that must not depend on where they were computed.
        work: part of the title of a process of Ray that computes.
        workers: option of the number of workers.
    """

    arguments: Sequence[str]
    output: str
    results: str
    work: str
    workers: str

    def command(self, folder: Path, workers: int) -> list[str]:
        """Its command line.

        Args:
            folder: of the output.
            workers: number of workers.
        """
        return [*self.arguments, str(folder / self.output), self.workers, str(workers)]


DEVICE = ["--device", "cpu"]
CASES = {
    "scan": Case(
        ["scan", "bundle", "--fasta", "genome.fa", *DEVICE, "--output"],
        *("genes.gff3", "genes.*", "MapWorker.map", "--workers"),
    ),
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the verbs read."""
    folder = tmp_path_factory.mktemp("inputs")
    make_genome(folder, chromosomes=8, bases=300_000)
    dataset = write_dataset(folder / "dataset", rows=400)
    bundle = small_bundle(TokenDataset.open(dataset, "train"))
    bundle.config["dataset"]["config"] |= {
        "crop": {"length": 120, "position": "random"},
        "negatives": {"kinds": dict.fromkeys(("shuffle", "antisense", "partial"), 1.0)},
    }
    bundle.save(folder / "bundle")
    return folder


def start(cluster: Cluster, inputs: Path, command: Sequence[str]) -> subprocess.Popen[str]:
    """Start a verb in the folder of the inputs, as a client of a cluster."""
    return subprocess.Popen(
        [sys.executable, "-m", "raygene", *command],
        env=cluster.environment(RAY_ADDRESS=cluster.address, PYTHONPATH=str(ROOT), RAYGENE_NODE_RETURN_S=str(RETURN_S)),
        cwd=inputs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def lose(cluster: Cluster, case: Case, driver: subprocess.Popen[str]) -> None:
    """Kill the node that joined last while it works for a verb."""
    node = cluster.processes[-1]
    suspend_during(node.pid, case.work, driver)
    kill_node(cluster, node)


def end(driver: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit status and output of a verb that ends within minutes."""
    output = driver.communicate(timeout=TIMEOUT_S)
    return driver.returncode, "".join(output)


def require_same(verb: str, folder: Path, expected: Path) -> None:
    """Check that the results of a verb are those of an undisturbed run."""
    paths = sorted(path.relative_to(expected) for path in expected.glob(CASES[verb].results) if path.is_file())
    assert paths
    for path in paths:
        assert (folder / path).read_bytes() == (expected / path).read_bytes(), path


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A head with one CPU; each test has a second node join, and loses it."""
    with head(tmp_path_factory.mktemp("head"), cpus=1) as started:
        yield started


@pytest.mark.parametrize("verb", CASES)
def test_a_verb_that_loses_a_node_has_the_same_result(
    cluster: Cluster, inputs: Path, tmp_path: Path, verb: str
) -> None:
    case = CASES[verb]
    undisturbed = start(cluster, inputs, case.command(tmp_path / "undisturbed", 1))
    assert end(undisturbed)[0] == 0
    cluster.node()
    driver = start(cluster, inputs, case.command(tmp_path / "disturbed", 2))
    lose(cluster, case, driver)
    status, output = end(driver)
    assert status == 0, output
    require_same(verb, tmp_path / "disturbed", tmp_path / "undisturbed")


@pytest.fixture(scope="module")
def empty_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A head without a CPU; each test has a node with one join, and loses it."""
    with head(tmp_path_factory.mktemp("empty-head"), cpus=0) as started:
        yield started


@pytest.mark.parametrize("verb", CASES)
def test_a_verb_that_loses_its_only_node_ends_in_a_line_that_says_what_to_do(
    empty_cluster: Cluster, inputs: Path, tmp_path: Path, verb: str
) -> None:
    empty_cluster.node()
    driver = start(empty_cluster, inputs, CASES[verb].command(tmp_path, 1))
    lose(empty_cluster, CASES[verb], driver)
    status, output = end(driver)
    assert status == 1, output
    errors = [line for line in output.splitlines() if "error:" in line]
    assert len(errors) == 1, output
    assert "0 CPUs and 0 GPUs on 1 node are left: add a node, then run the same command to resume" in errors[0]
