"""Small real inputs shared by all tests: a random genome with genes, and one Ray for the whole run."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cluster.local_ray import processes
from pipelines.environment import with_defaults
from tests import collection_order, hypothesis_profiles
from tests import s3_server as moto
from tests.browser import WINDOWS, chromium, window

# Ray's workers give way to all other processes, among which is the other half of a test run: they would hardly get on.
os.environ.setdefault("RAY_worker_niceness", "0")
# As the command line sets it, but before PyTorch is imported: threads that wait and spin take the other half's cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Regressions of a few thousand rows take a fifth of the CPU time where OpenBLAS has no threads that spin and wait.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Ray's core settles once a process whether there is a token: a test that asks a server would settle it for all.
os.environ.setdefault("RAY_AUTH_MODE", "disabled")
# Modules and tests make a great many objects, few of them garbage: looking for it less often saves 4 % of CPU time.
gc.set_threshold(100_000)
hypothesis_profiles.register()


def pytest_configure(config: pytest.Config) -> None:
    """Have two processes compile what tests import from both ends."""
    config.pluginmanager.register(collection_order)


COMPILING = pytest.StashKey["subprocess.Popen[str]"]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Have the decoder compiled where all tests run, in other processes than this one."""
    config = session.config
    is_controller = getattr(config.option, "dist", "no") != "no" and not hasattr(config, "workerinput")
    if is_controller and config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        config.stash[COMPILING] = subprocess.Popen(
            [sys.executable, "-m", "tests.compile_decoder"], cwd=config.rootpath, stderr=subprocess.PIPE, text=True
        )


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Wait for the compilation, or stop it after an interruption; fail if it has failed."""
    compiling = session.config.stash.get(COMPILING, None)
    if compiling is None:
        return
    if exitstatus == pytest.ExitCode.INTERRUPTED:
        compiling.kill()
    _, errors = compiling.communicate()
    if compiling.returncode > 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        sys.stderr.write(f"\ntests.compile_decoder failed:\n{errors}\n")


USE_RAY = pytest.StashKey[set[Path]]()


# Last: a file whose only tests with Ray are left out runs without it.
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the files that use Ray first: they are slow, and one that is left to the end has the cores to itself."""
    with_ray = {
        item.path
        for item in items
        if item.get_closest_marker("ray") or "ray_session" in getattr(item, "fixturenames", ())
    }
    config.stash[USE_RAY] = with_ray
    items.sort(key=lambda item: item.path not in with_ray)


def pytest_collection_finish() -> None:
    """Have no later search for garbage look at what was collected here, which stays to the end."""
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End Ray after the last file that uses it: its idle processes take a tenth of a core for the rest of the run."""
    ray = sys.modules.get("ray")
    if ray is not None and nextitem is not None and nextitem.path not in item.config.stash[USE_RAY]:
        ray.shutdown()


@dataclass(frozen=True)
class GenomeFiles:
    """A genome on disk and what is in it."""

    fasta: Path
    annotation: Path
    sequences: dict[str, str]
    genes: list[tuple[str, int, int, str]]

    def source(self, name: str = "toy") -> dict[str, Any]:
        """Its entry under `sources`."""
        return {"genome": name, "fasta": str(self.fasta), "annotation": str(self.annotation)}


def make_genome(folder: Path, *, seed: int = 0, chromosomes: int = 4, bases: int = 12_000) -> GenomeFiles:
    """Write a FASTA and a GFF3 with a gene every 600 bases or so, on both strands, GC-richer than the rest."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    sequences, genes = {}, []
    for number in range(1, chromosomes + 1):
        name = f"chr{number}"
        letters = generator.choice(list("ACGT"), size=bases, p=[0.35, 0.15, 0.15, 0.35])
        position = 300
        while position + 500 < bases:
            length = int(generator.integers(60, 300))
            letters[position : position + length] = generator.choice(list("ACGT"), size=length, p=[0.2, 0.3, 0.3, 0.2])
            genes.append((name, position, position + length, "+-"[int(generator.integers(2))]))
            position += length + int(generator.integers(200, 600))
        letters[100:130] = "N"
        letters[200:240] = [letter.lower() for letter in letters[200:240]]
        sequences[name] = "".join(letters)
    fasta, annotation = folder / "genome.fa", folder / "genes.gff3"
    fasta.write_text(
        "".join(
            f">{name} a toy chromosome\n" + "".join(text[i : i + 60] + "\n" for i in range(0, len(text), 60))
            for name, text in sequences.items()
        )
    )
    rows = [
        f"{name}\ttest\tgene\t{start + 1}\t{end}\t.\t{strand}\t.\tID=gene{number};biotype=protein_coding"
        for number, (name, start, end, strand) in enumerate(genes)
    ]
    annotation.write_text("\n".join(["##gff-version 3", *rows, ""]))
    return GenomeFiles(fasta, annotation, sequences, genes)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["RAYGENE_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def genome(tmp_path_factory: pytest.TempPathFactory) -> GenomeFiles:
    return make_genome(tmp_path_factory.mktemp("genome"))


def start_ray() -> None:
    """A local Ray of two CPUs, if there is none."""
    import ray

    if not ray.is_initialized():
        with with_defaults(processes.variables()), processes.needed_only(shows_output=False):
            ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")


@pytest.fixture(scope="session")
def ray_session() -> Iterator[Any]:
    """A `connect` for builds; one local Ray serves every test that asks for it."""
    import ray

    start_ray()
    yield nullcontext
    ray.shutdown()


@pytest.fixture(scope="module", autouse=True)
def _ray_is_free() -> Iterator[None]:
    """Leave no CPU of the shared Ray to an actor whose test has ended: the next training would wait for it for ever."""
    yield
    ray = sys.modules.get("ray")
    if ray is None or not hasattr(ray, "is_initialized") or not ray.is_initialized():
        return

    def is_free() -> bool:
        return ray.available_resources().get("CPU", 0) >= ray.cluster_resources().get("CPU", 0)

    if is_free():
        return
    deadline = time.monotonic() + 10
    while not is_free():
        if time.monotonic() > deadline:
            ray.shutdown()
            start_ray()
            return
        time.sleep(0.2)


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of the real benchmark genomes, from RAYGENE_DATA."""
    if not os.environ.get("RAYGENE_DATA"):
        pytest.skip("RAYGENE_DATA is not set: it names a folder with real benchmark genomes")
    return Path(os.environ["RAYGENE_DATA"])


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of a real S3 server with the buckets `models` and `data`."""
    with moto.s3_server() as address:
        yield address


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server's address, with the environment as users of S3 have it; Ray's workers may not have it."""
    for name, value in moto.environment(s3_server).items():
        monkeypatch.setenv(name, value)
    return s3_server


@pytest.fixture(scope="session")
def s3fs() -> str:
    """A folder with the package s3fs and what it needs, for the path of a process: users may have it or not."""
    folder = os.environ.get("RAYGENE_S3FS") or ""
    if not folder:
        pytest.skip("RAYGENE_S3FS is not set: it names a folder with the package s3fs")
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real browser; the test is skipped where there is none."""
    with chromium() as opened:
        yield opened


@pytest.fixture(params=WINDOWS, ids="-".join)
def shown(request: pytest.FixtureRequest, browser: Any, file: Path) -> Iterator[tuple[Any, list[str]]]:
    """The page of a module's fixture `file`, and what the console says, in windows of every width and scheme."""
    with window(browser, file, *request.param) as opened:
        yield opened
