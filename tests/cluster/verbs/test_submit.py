from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.cli import main
from cluster.jobs import package
from tests.cluster.command_line import experiment, one_line, run_alone
from tests.cluster.nodes.ray_nodes import ROOT, Cluster, command_lines, head
from tests.conftest import GenomeFiles

EXAMPLE = ROOT / "examples" / "yeast" / "experiment.yaml"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "the following arguments are required: ACTION"),
        (["lst"], "invalid choice: 'lst'"),
        (["run"], "no verb: put it after --, as in 'raygene submit run -- build …'"),
        (["stop"], "submit stop: the following arguments are required: JOB"),
        (["list", "now"], "submit list: unknown argument now"),
        (["list", "--", "build"], "submit list: takes no verb after --"),
        (["list", "--follow"], "submit list: unknown argument --follow"),
        (["run", "--follow", "--", "inspect", "/d"], "submit run: unknown argument --follow"),
        (["list", "--detach"], "submit list: unknown argument --detach"),
        (["run", "--tokenizer.k", "3", "--", "build"], "raygene submit run: unknown argument --tokenizer.k"),
        (["run", "--gpus", "many", "--", "inspect", "/d"], "'many' is not a number of at least 0"),
        (["run", "--", "submit", "list"], "submit does no work of its own"),
        (["run", "--", "bild"], "invalid choice: 'bild'"),
        (["run", "--", "inspect", "data"], "DATASET data: relative, and a job runs in a temporary directory"),
        (["run", "--address", "127.0.0.1:6379x", "--", "inspect", "/d"], "not a job server's address"),
        (["run", "--address", "ray://h:10001", "--", "inspect", "/d"], "not a job server's address"),
    ],
)
def test_a_wrong_command_line_is_refused_before_any_request_to_a_cluster(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit", *arguments]) == 2
    assert expected in " ".join(capsys.readouterr().err.split())


def test_a_job_server_that_is_not_there_is_one_line() -> None:
    line = one_line(run_alone("submit", "list", "--address", "http://127.0.0.1:1"), 1)
    assert "no job server there" in line


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with head(tmp_path_factory.mktemp("head")) as started:
        yield started


@pytest.fixture(scope="module")
def dataset(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("built") / "yeast"
    done = cluster.raygene("submit", "run", "--address", cluster.url, "--", "build", EXAMPLE, "--output", output)
    assert done.returncode == 0, done.stderr
    assert "sources.0.fasta: relative to the experiment; read on the cluster as" in done.stderr
    assert f"dataset: {output}" in done.stdout
    assert "succeeded" in done.stderr.splitlines()[-1]
    return output


WHERE = """
import json, pathlib, cluster, pipelines, ray, training, tuning

def where():
    import cluster, pipelines, training, tuning
    return [package.__file__ for package in (cluster, pipelines, training, tuning)]

ray.init(address="auto")
files = where() + ray.get(ray.remote(num_cpus=0)(where).remote())
print(json.dumps({"directory": str(pathlib.Path.cwd()), "files": files}))
"""


@pytest.mark.full
def test_a_job_and_its_tasks_run_the_code_that_was_sent(cluster: Cluster, tmp_path: Path) -> None:
    package.stage(ROOT, tmp_path, {"where.py": WHERE})
    command = ["job", "submit", "--working-dir", str(tmp_path), "--", "python", "-m", "where"]
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ray"), *command],
        env=cluster.environment(RAY_API_SERVER_ADDRESS=cluster.url),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answer = next(json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"directory"'))
    assert "working_dir_files" in answer["directory"]
    # Ray unpacks what was sent once a node, for the job's process and for its tasks.
    assert {Path(file).parents[1] for file in answer["files"]} == {Path(answer["directory"])}


@pytest.mark.full
def test_a_dataset_built_by_a_job_is_that_of_a_local_build(cluster: Cluster, dataset: Path, tmp_path: Path) -> None:
    assert run_alone("build", EXAMPLE, "--output", tmp_path / "local").returncode == 0
    manifests = [json.loads((folder / "manifest.json").read_text()) for folder in (dataset, tmp_path / "local")]
    assert manifests[0]["files"] == manifests[1]["files"]


@pytest.mark.full
def test_a_trained_bundle_comes_back_with_status_0_and_scores_in_a_further_job(
    cluster: Cluster, dataset: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    train = ["train", EXAMPLE, "--dataset", dataset, "--output", run, "--training.epochs", "1"]
    done = cluster.raygene("submit", "run", "--address", cluster.url, "--", *train)
    assert done.returncode == 0, done.stderr
    assert (run / "bundle" / "model.safetensors").exists()
    genome = EXAMPLE.parent / "genome.fa.gz"
    genes = EXAMPLE.parent / "annotation.gff3.gz"
    predict = ["predict", run / "bundle", "--fasta", genome, "--intervals", genes, "--output", tmp_path / "s.tsv"]
    assert cluster.raygene("submit", "run", "--address", cluster.url, "--", *predict).returncode == 0
    assert (tmp_path / "s.tsv").exists()


@pytest.mark.full
@pytest.mark.parametrize(
    ("flags", "status", "expected"),
    [
        (["--split.test", "chr77"], 2, "no chromosome 'chr77'"),
        (["--sources.0.fasta", "/none.fa"], 1, "/none.fa: no such file"),
    ],
)
def test_an_error_of_the_user_leaves_with_the_status_it_has_without_a_cluster(
    cluster: Cluster, tmp_path: Path, flags: list[str], status: int, expected: str
) -> None:
    build = ["build", EXAMPLE, "--output", tmp_path / "out", *flags]
    done = cluster.raygene("submit", "run", "--address", cluster.url, "--", *build)
    assert done.returncode == status
    assert expected in done.stdout
    assert f"failed with exit status {status}" in done.stderr


def driver(output: Path) -> int:
    """The id of the process on this machine that runs a job's verb."""
    for _ in range(600):
        for process, line in command_lines():
            if str(output) in line and line[1:3] == ["-m", "cluster"] and "submit" not in line:
                return process
        time.sleep(0.1)
    raise AssertionError("the job did not begin")


def training(cluster: Cluster, dataset: Path, run: Path) -> subprocess.Popen[str]:
    """A `submit` that follows a training."""
    command = ["submit", "run", "--address", cluster.url, "--", "train", EXAMPLE, "--dataset", dataset, "--output", run]
    return subprocess.Popen(
        [sys.executable, "-m", "cluster", *map(str, command)],
        env=cluster.environment(),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.full
def test_a_crash_leaves_with_the_signal_that_caused_it(cluster: Cluster, dataset: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    following = training(cluster, dataset, run)
    os.kill(driver(run), signal.SIGKILL)
    _, errors = following.communicate(timeout=120)
    assert following.returncode == 137, errors
    assert "ended by signal 9" in errors


def watcher(process: int) -> int:
    """The id of the process of Ray that has started a job's verb and watches it."""
    while process > 1:
        process = int(re.findall(r"PPid:\s+(\d+)", Path(f"/proc/{process}/status").read_text())[0])
        if Path(f"/proc/{process}/cmdline").read_text().startswith("ray::"):
            return process
    raise AssertionError("nothing of Ray has started it")


@pytest.mark.full
def test_a_lost_job_is_distinguished_from_one_that_did_not_start(
    cluster: Cluster, dataset: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    following = training(cluster, dataset, run)
    os.kill(watcher(driver(run)), signal.SIGKILL)
    _, errors = following.communicate(timeout=120)
    assert following.returncode == 1, errors
    assert "was lost with the node or process that watched it" in errors
    assert "the same command resumes" in errors


@pytest.mark.full
def test_a_stopped_training_resumes_with_the_same_command(
    cluster: Cluster, genome: GenomeFiles, tmp_path: Path
) -> None:
    path, data, run = experiment(genome, tmp_path), tmp_path / "data", tmp_path / "run"
    to = ["--address", cluster.url]
    assert cluster.raygene("submit", "run", *to, "--", "build", path, "--output", data).returncode == 0
    train = ["train", path, "--dataset", data, "--output", run, "--training.epochs", "300"]
    sent = cluster.raygene("submit", "run", *to, "--detach", "--", *train)
    assert sent.returncode == 0
    job = sent.stdout.split()[1].rstrip(":")
    while not (run / "metrics.jsonl").exists() or not (run / "metrics.jsonl").read_text():
        time.sleep(0.2)
    stopped = cluster.raygene("submit", "stop", job, *to)
    assert stopped.returncode == 0
    assert "was stopped; finished work is kept" in stopped.stdout
    assert "stopped" in cluster.raygene("submit", "list", *to).stdout
    log = cluster.raygene("submit", "logs", job, "--follow", *to)
    assert log.returncode == 130
    assert "which is saved" in log.stdout
    before = (run / "metrics.jsonl").read_text().splitlines()
    assert 0 < len(before) < 300
    again = cluster.raygene("submit", "run", *to, "--", *train)
    assert again.returncode == 0, again.stderr
    after = (run / "metrics.jsonl").read_text().splitlines()
    assert len(after) == 300
    assert after[: len(before)] == before


@pytest.mark.full
def test_following_can_be_ended_and_the_job_keeps_running(cluster: Cluster, dataset: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train = ["train", EXAMPLE, "--dataset", dataset, "--output", run, "--training.epochs", "1"]
    following = subprocess.Popen(
        [sys.executable, "-m", "cluster", "submit", "run", "--address", cluster.url, "--", *map(str, train)],
        env=cluster.environment(),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where tests run in the background, children ignore the interrupt of a keyboard.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    process = driver(run)
    time.sleep(2)
    following.send_signal(signal.SIGINT)
    _, errors = following.communicate(timeout=60)
    assert following.returncode == 130
    assert "the job keeps running. Follow it: raygene submit logs" in errors
    assert process in [running for running, _ in command_lines()]
    job = errors.split("submit logs ")[1].split()[0]
    assert cluster.raygene("submit", "logs", job, "--follow", "--address", cluster.url).returncode == 0


@pytest.mark.full
@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"RAY_AUTH_TOKEN": "0123456789abcdef"}, "refuses the token of RAY_AUTH_TOKEN"),
        ({"RAY_AUTH_TOKEN_PATH": "", "HOME": "/nonexistent"}, "requires a token, but this machine has none"),
        ({"RAY_AUTH_MODE": "disabled"}, "RAY_AUTH_MODE=disabled sends none"),
    ],
)
def test_a_wrong_or_missing_token_is_refused_in_one_line_that_does_not_show_it(
    cluster: Cluster, variables: dict[str, str], expected: str
) -> None:
    done = cluster.raygene("submit", "list", "--address", cluster.url, **variables)
    line = one_line(done, 1)
    assert expected in line
    assert "0123456789abcdef" not in done.stdout + done.stderr
    assert cluster.token.read_text() not in done.stdout + done.stderr


@pytest.mark.full
def test_gpus_that_no_node_has_are_an_error_before_anything_is_sent(cluster: Cluster, tmp_path: Path) -> None:
    build = ["build", EXAMPLE, "--output", tmp_path / "out"]
    line = one_line(cluster.raygene("submit", "run", "--address", cluster.url, "--gpus", "2", "--", *build), 1)
    assert "--gpus 2: no node has 2 GPUs: of 1 node the largest has 0 GPUs" in line


@pytest.mark.full
def test_rays_own_command_runs_a_verb_too(cluster: Cluster, tmp_path: Path) -> None:
    output = tmp_path / "yeast"
    variables = cluster.environment(RAY_API_SERVER_ADDRESS=cluster.url)
    ray = Path(sys.executable).parent / "ray"
    verb = ["python", "-m", "cluster", "build", "examples/yeast/experiment.yaml", "--output", str(output)]
    done = subprocess.run(
        [str(ray), "job", "submit", "--working-dir", ".", "--", *verb],
        env=variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (output / "manifest.json").exists()
