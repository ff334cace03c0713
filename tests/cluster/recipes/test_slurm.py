"""The Slurm script: its shell, and a run with a step launcher that starts one task, as on an allocation of one node."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "cluster" / "recipes" / "slurm.sh"
EXAMPLE = ROOT / "examples" / "yeast" / "experiment.yaml"


def test_bash_reads_it() -> None:
    assert subprocess.run(["bash", "-n", SCRIPT], capture_output=True).returncode == 0


def test_its_directives_come_before_its_commands() -> None:
    lines = SCRIPT.read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line and not line.startswith("#"))
    assert max(number for number, line in enumerate(lines) if line.startswith("#SBATCH")) < first


def stand_ins(folder: Path, **bodies: str) -> Path:
    """Programs that a test puts in place of others, each a line of shell; return their directory."""
    folder.mkdir(parents=True)
    for name, body in bodies.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return folder


def allocation(programs: Path, folder: Path, nodes: int) -> dict[str, str]:
    """The environment of a script that Slurm has started."""
    return os.environ | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "RAYGENE_ENV": str(programs.parent),
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_NODELIST": "localhost",
        "SLURM_JOB_NUM_NODES": str(nodes),
        "SLURM_SUBMIT_DIR": str(folder),
    }


SRUN = 'while [ "$1" != ray ]; do shift; done; exec "$@"'


@pytest.mark.parametrize("nodes", [1, 2])
def test_a_verb_finds_the_ray_of_the_allocation_and_is_given_its_own_arguments_alone(
    tmp_path: Path, nodes: int
) -> None:
    programs = stand_ins(
        tmp_path / "env" / "bin",
        activate="",
        scontrol="echo localhost",
        hostname="echo 10.1.2.3 fd00::1",
        srun=SRUN,
        ray=f'echo "ray $*" >&2; {SRUN.replace("ray", "--")}'.replace('exec "$@"', 'shift; exec "$@"'),
        raygene='echo "$@"; '
        'echo "$RAY_ADDRESS ${RAY_AUTH_TOKEN:-unset} $RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT"; exit 3',
    )
    environment = allocation(programs, tmp_path, nodes) | {
        "RAY_ADDRESS": "elsewhere:1",
        "RAY_AUTH_TOKEN": "of another cluster",
    }
    done = subprocess.run(["bash", SCRIPT, "inspect", "/data/set"], env=environment, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    address = "127.0.0.1:20007" if nodes == 1 else "10.1.2.3:20007"
    assert done.stdout.splitlines() == ["inspect /data/set", f"{address} unset 600"]
    assert f"symmetric-run --address {address} --min-nodes {nodes}" in done.stderr


def test_a_warning_after_the_verb_has_ended_leaves_with_the_status_of_the_step(tmp_path: Path) -> None:
    programs = stand_ins(
        tmp_path / "env" / "bin",
        activate="",
        srun=SRUN,
        ray='while [ "$1" != -- ]; do shift; done; shift; "$@"; '
        "kill -TERM $script; sleep 0.2; kill -TERM $script; exit 3",
        raygene="exit 3",
    )
    done = subprocess.run(
        ["bash", "-c", 'script=$$ exec bash "$@"', "bash", SCRIPT, "inspect", "/data/set"],
        env=allocation(programs, tmp_path, 1),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 3, done.stderr


@pytest.mark.full
def test_shellcheck_has_nothing_to_say() -> None:
    program = shutil.which("shellcheck") or shutil.which("shellcheck", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("shellcheck is not installed: scripts/setup-full.sh does it")
    done = subprocess.run([program, SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.full
@pytest.mark.parametrize(("flags", "status"), [([], 0), (["--split.test", "chr77"], 2)])
def test_the_verb_runs_on_a_ray_of_its_own_and_its_status_is_the_scripts(
    tmp_path: Path, flags: list[str], status: int
) -> None:
    # `symmetric-run` ends every Ray process that it sees: in a process namespace it sees no other test's.
    namespace = ["unshare", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*namespace, "true"], capture_output=True).returncode:
        pytest.skip("process namespaces cannot be made here: they need root")
    scratch = tmp_path / "submit"
    scratch.mkdir()
    tools = stand_ins(tmp_path / "bin", scontrol="echo localhost", srun=SRUN)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")} | {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "RAYGENE_ENV": str(Path(sys.executable).parents[1]),
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_JOB_NODELIST": "localhost",
        "SLURM_JOB_NUM_NODES": "1",
        "SLURM_SUBMIT_DIR": str(scratch),
    }
    command = [*namespace, "bash", str(SCRIPT), "build", str(EXAMPLE), "--output", str(tmp_path / "yeast"), *flags]
    done = subprocess.run(command, env=environment, cwd=scratch, capture_output=True, text=True)
    assert done.returncode == status, done.stdout + done.stderr
    assert (tmp_path / "yeast" / "manifest.json").exists() == (status == 0)
    assert not list(scratch.iterdir())
