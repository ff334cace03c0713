"""raygene as it is installed, beside packages of a user that have the names of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
import yaml

from cluster.imports.raygene_imports import PACKAGES
from tests.cluster.command_line import experiment
from tests.conftest import GenomeFiles

pytestmark = [pytest.mark.full, pytest.mark.ray]
ROOT = Path(__file__).parents[2]
RAISES = "raise RuntimeError('of the user')\n"


def checked(*command: object, folder: Path, **environment: str) -> str:
    """The output of a command that succeeds."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [*map(str, command)], cwd=folder, env=variables | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-2_000:]
    return done.stdout


def environment_of(folder: Path) -> Path:
    """A virtual environment that has everything that this one has, but raygene; its interpreter."""
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    installed = checked(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder).strip()
    # A .pth file within a folder that is added so is not read: this checkout stays out.
    Path(installed, "others.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return python


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """How raygene is started from a wheel, from an editable installation and from a checkout."""
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    for name in (*PACKAGES, "examples"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    wheel, editable = environment_of(folder / "wheel"), environment_of(folder / "editable")
    pip = [sys.executable, "-m", "pip", "-q"]
    build = ["--no-deps", "--no-build-isolation"]
    checked(*pip, "--python", editable, "install", *build, "-e", source, folder=folder)
    checked(*pip, "wheel", *build, "-w", folder, source, folder=folder)
    checked(*pip, "--python", wheel, "install", "--no-deps", *folder.glob("*.whl"), folder=folder)
    return {
        "wheel": [str(wheel.with_name("raygene"))],
        "editable": [str(editable.with_name("raygene"))],
        "checkout": [sys.executable, "-m", "raygene"],
    }


def own_packages(folder: Path, content: str) -> Path:
    """A folder with packages and modules of a user, named as raygene's."""
    if content == "another raygene":
        for name in PACKAGES[:-1]:
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for path in folder.rglob("*.py"):
            if path.name != "__init__.py":
                path.write_text(RAISES)
        return folder
    text = "" if content == "empty" else RAISES
    for name in ("training", "tuning"):
        (folder / name).mkdir(parents=True)
    # The other is a folder without modules, which is a package to Python too.
    (folder / "training" / "__init__.py").write_text(text)
    for name in ("pipelines", "cluster"):
        (folder / f"{name}.py").write_text(text)
    return folder


@pytest.mark.parametrize("content", ["empty", "raises", "another raygene"])
@pytest.mark.parametrize("place", ["working directory", "PYTHONPATH"])
@pytest.mark.parametrize("installation", ["wheel", "editable", "checkout"])
def test_driver_and_workers_import_the_code_that_was_started(
    commands: dict[str, list[str]],
    installation: str,
    place: str,
    content: str,
    genome: GenomeFiles,
    tmp_path: Path,
) -> None:
    own = own_packages(tmp_path / "own", content)
    path = [own] if place == "PYTHONPATH" else []
    path += [ROOT] if installation == "checkout" else []
    variables = {"PYTHONPATH": os.pathsep.join(map(str, path))} if path else {}
    folder = own if place == "working directory" else tmp_path
    file = experiment(genome, tmp_path, training={"epochs": 1, "global_batch_size": 16})
    start = commands[installation]
    checked(*start, "build", file, "--output", tmp_path / "data", folder=folder, **variables)
    checked(
        *(*start, "train", file, "--dataset", tmp_path / "data", "--output", tmp_path / "run"),
        folder=folder,
        **variables,
    )
    assert (tmp_path / "run" / "bundle" / "config.json").exists()


def test_the_demo_of_a_wheel_has_its_genome_and_its_model(commands: dict[str, list[str]], tmp_path: Path) -> None:
    printed = checked(*commands["wheel"], "demo", "--output", "demo", folder=tmp_path)
    verbs = ("init", "build", "inspect", "train", "predict", "evaluate", "annotate")
    assert [verb for verb in verbs if f"raygene {verb}" not in printed] == []
    source = yaml.safe_load((tmp_path / "demo" / "experiment.yaml").read_text())["sources"][0]
    installed = checked(
        *(Path(commands["wheel"][0]).with_name("python"), "-c", "import cluster; print(cluster.__path__[0])"),
        folder=tmp_path,
    ).strip()
    assert Path(source["fasta"]).is_relative_to(installed)
    assert (tmp_path / "demo" / "proteins.fa").read_text().startswith(">")
    again = checked(*commands["wheel"], "demo", "--output", "demo", folder=tmp_path)
    assert "raygene init" not in again


def test_a_type_checker_sees_the_types_of_an_installed_raygene(commands: dict[str, list[str]], tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(
        "import raygene\n"
        "reveal_type(raygene.load('run/bundle').score(['ACGT']))\n"
        "reveal_type(raygene.TokenDataset.open('data', 'train').split)\n"
        "reveal_type(raygene.annotate('run/bundle', 'genome.fa', 'genes.gff3'))\n"
    )
    python = Path(commands["wheel"][0]).with_name("python")
    output = checked(
        *(sys.executable, "-m", "mypy", "--python-executable", python, "--cache-dir", tmp_path / "cache"),
        *("--ignore-missing-imports", "--follow-imports", "silent", "script.py"),
        folder=tmp_path,
    )
    revealed = [line.partition("Revealed type is ")[2] for line in output.splitlines() if "Revealed" in line]
    assert len(revealed) == 3
    assert "ndarray" in revealed[0]
    assert "float64" in revealed[0] or "floating" in revealed[0]
    assert "str" in revealed[1]
    assert "dict[" in revealed[2]
