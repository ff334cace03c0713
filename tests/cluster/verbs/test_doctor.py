from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.cli import main
from tests.cluster.command_line import experiment, run_alone, run_here
from tests.cluster.nodes.ray_nodes import BIN, Cluster, head
from tests.conftest import GenomeFiles


def lines(text: str, level: str) -> list[str]:
    """The lines of doctor's output that have a level."""
    return [line for line in text.splitlines() if line.startswith(level)]


@pytest.fixture
def without_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "")
    monkeypatch.setenv("COLUMNS", "300")


@pytest.mark.usefixtures("without_address")
def test_this_machine_is_checked_without_starting_ray(genome: GenomeFiles, tmp_path: Path) -> None:
    path = experiment(genome, tmp_path)
    report = tmp_path / "report.json"
    done = run_here("doctor", "--experiment", path, "--storage", tmp_path, "--json", report)
    document = json.loads(report.read_text())
    assert done.returncode == (document["status"] == "failure")
    assert "inputs         2 readable" in done.stdout
    assert f"storage        {tmp_path}: can be written" in done.stdout
    assert "This machine" in done.stdout
    assert "starting Ray" not in done.stderr
    assert next(iter(document["nodes"].values()))["gpus"] is None


def test_every_operation_on_a_store_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "--storage", f"local://{tmp_path}/bucket/runs"])
    shown = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines() if "/bucket/runs: " in line]
    assert ["ok", "storage", f"local://{tmp_path}/bucket/runs: put in parts, read by range"] in shown
    assert {level for level, _, _ in shown} == {"ok"}
    assert len(shown) == 8


@pytest.mark.usefixtures("without_address")
def test_every_problem_is_reported_at_once_with_its_fix(
    genome: GenomeFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = experiment(genome, tmp_path)
    flags = ["--gpus", "99", "--experiment", path, "--sources.0.fasta", "/none.fa", "--storage", "/proc/none"]
    monkeypatch.setenv("PATH", "/nowhere")
    done = run_here("doctor", *flags)
    assert done.returncode == 1
    failures = lines(done.stdout, "failure")
    assert any("GPUs" in line and "of 99 required" in line for line in failures)
    assert any("sources.0.fasta /none.fa: No such file" in line for line in failures)
    assert any("storage" in line and "/proc/none" in line for line in failures)
    if shutil.which("bedtools", path=str(BIN)) is None:
        assert any("bedtools: program not found: install it with" in line for line in failures)


@pytest.mark.usefixtures("without_address")
def test_a_training_on_gpus_requires_one_for_each_worker(genome: GenomeFiles, tmp_path: Path) -> None:
    path = experiment(genome, tmp_path, training={"device": "cuda", "workers": 64})
    done = run_here("doctor", "--experiment", path)
    assert "of 64 required" in done.stdout


def test_an_unreachable_cluster_is_a_failure_and_this_machine_is_checked() -> None:
    done = run_alone("doctor", "--cluster.address", "127.0.0.1:1", RAY_ADDRESS="")
    assert done.returncode == 1
    assert any("no Ray there" in line for line in lines(done.stdout, "failure"))
    assert lines(done.stdout, "ok")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--gpus", "-1"], "argument --gpus: '-1' is not a whole number of at least 0"),
        (["--tokenizer.k", "3"], "unknown argument --tokenizer.k"),
        (["--sources.0.fasta", "/a.fa"], "unknown argument --sources.0.fasta"),
    ],
)
def test_a_wrong_command_line_is_refused(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", *arguments]) == 2
    assert expected in " ".join(capsys.readouterr().err.split())


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A head, and a node without bedtools on its PATH in whose mount namespace one folder is empty."""
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("mount namespaces cannot be made here: they need root")
    if (BIN / "bedtools").exists():
        pytest.skip("bedtools is next to Python, where raygene finds it whatever the PATH")
    folder = tmp_path_factory.mktemp("doctor")
    hidden, tools = folder / "hidden", folder / "tools"
    hidden.mkdir()
    tools.mkdir()
    for directory in ("/usr/bin", "/bin", "/usr/sbin", "/sbin"):
        for tool in Path(directory).glob("*"):
            if tool.name != "bedtools" and not (tools / tool.name).is_symlink():
                (tools / tool.name).symlink_to(tool)
    with head(folder, cpus=1) as started:
        cover_hidden = f'mount -t tmpfs none "{hidden}" && exec "$@"'
        started.node(["unshare", "-m", "bash", "-c", cover_hidden, "node"], PATH=f"{BIN}:{tools}")
        yield started


@pytest.mark.full
def test_every_node_is_checked_and_the_one_with_problems_named(
    cluster: Cluster, genome: GenomeFiles, tmp_path: Path
) -> None:
    hidden = cluster.folder / "hidden"
    fasta = hidden / "genome.fa"
    shutil.copyfile(genome.fasta, fasta)
    path, report = experiment(genome, tmp_path), tmp_path / "report.json"
    flags = ["--experiment", path, "--sources.0.fasta", fasta, "--storage", hidden, "--gpus", "1", "--json", report]
    done = cluster.raygene("doctor", "--cluster.address", cluster.address, *flags)
    assert done.returncode == 1, done.stderr
    failures = lines(done.stdout, "failure")
    assert "A cluster of 2 nodes" in done.stdout
    assert len([line for line in failures if "bedtools: program not found" in line]) == 1
    assert len([line for line in failures if f"sources.0.fasta {fasta}: No such file" in line]) == 1
    assert len([line for line in failures if "a file written by this command is not visible on that node" in line]) == 1
    assert any("0 of 1 required" in line for line in failures)
    assert any("Ray" in line and "2 nodes" in line for line in lines(done.stdout, "ok"))
    assert not list(hidden.glob(".raygene-doctor-*"))
    assert len(json.loads(report.read_text())["nodes"]) == 2


@pytest.mark.full
def test_doctor_runs_as_a_job_too(cluster: Cluster) -> None:
    done = cluster.raygene("submit", "run", "--address", cluster.url, "--", "doctor")
    assert done.returncode == 1
    assert "A cluster of 2 nodes" in done.stdout
    assert sys.version.split()[0] in done.stdout
    assert cluster.token.read_text().strip() not in done.stdout
