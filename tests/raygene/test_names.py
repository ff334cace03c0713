from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import raygene
from pipelines.dataset.token_dataset import TokenDataset
from training.bundle import bundle
from training.data import loading

ROOT = Path(__file__).parents[2]
PACKAGES = ("pipelines", "training", "tuning", "cluster")


def python(folder: Path, *arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Python in a folder, whose search path has first `path` and then this checkout."""
    search_path = os.pathsep.join(map(str, filter(None, [path, ROOT])))
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": search_path},
        capture_output=True,
        text=True,
        check=False,
    )


def own_packages(folder: Path, text: str) -> Path:
    """A folder of a user whose modules have the names of raygene's packages."""
    folder.mkdir(exist_ok=True)
    for name in ("training", "tuning"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(text)
    for name in ("pipelines", "cluster"):
        (folder / f"{name}.py").write_text(text)
    return folder


def test_every_name_is_there_and_listed() -> None:
    assert dir(raygene) == sorted(raygene.__all__)
    assert all(getattr(raygene, name) is not None for name in raygene.__all__)


def test_the_names_are_those_of_the_packages() -> None:
    assert raygene.load is bundle.load
    assert raygene.TokenDataset is TokenDataset
    assert raygene.loader is loading.loader


def test_a_name_that_there_is_not_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'loads'"):
        raygene.loads  # type: ignore[attr-defined]  # noqa: B018


def test_importing_it_imports_nothing_large(tmp_path: Path) -> None:
    code = "import raygene, sys; print({'torch', 'ray', 'numpy', 'pydantic'} & set(sys.modules))"
    assert python(tmp_path, "-c", code).stdout == "set()\n"


@pytest.mark.parametrize("text", ["", "raise RuntimeError('of the user')"])
def test_packages_of_the_user_do_not_take_the_place_of_its_own(tmp_path: Path, text: str) -> None:
    own = own_packages(tmp_path / "own", text)
    code = "import raygene, pipelines, training, tuning, cluster; print(raygene.RaygeneError, training.__file__)"
    done = python(own, "-c", code, path=own)
    assert done.stdout.endswith(f"{ROOT / 'training' / '__init__.py'}\n"), done.stderr


@pytest.mark.parametrize("text", ["", "raise RuntimeError('of the user')"])
def test_the_command_runs_its_own_code_among_packages_of_the_user(tmp_path: Path, text: str) -> None:
    own = own_packages(tmp_path / "own", text)
    assert python(own, "-m", "raygene", "--version", path=own).stdout.startswith("raygene ")
    # What the script that pip installs does.
    code = "import sys; from raygene.__main__ import main; sys.argv[1:] = ['train', '--help']; sys.exit(main())"
    assert "--dataset" in python(tmp_path, "-c", code, path=own).stdout


def test_a_package_of_the_user_that_was_imported_before_is_named(tmp_path: Path) -> None:
    own = own_packages(tmp_path / "own", "")
    done = python(own, "-c", "import training, raygene")
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: raygene: its package 'training' cannot be imported")
    assert str(own / "training" / "__init__.py") in last
    assert python(own, "-c", "import raygene, training; print(training.__file__)").returncode == 0
