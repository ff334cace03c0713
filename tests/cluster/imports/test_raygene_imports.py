from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.imports import raygene_imports

ROOT = Path(__file__).parents[3]


def python(*arguments: str, folder: Path, path: str = "") -> str:
    """The output of Python in a folder, whose path has first `path` and then this checkout."""
    search_path = os.pathsep.join([*filter(None, [path]), str(ROOT)])
    environment = os.environ | {"PYTHONPATH": search_path}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def folder_with_modules_of_the_same_names(folder: Path, text: str) -> Path:
    for package in ("pipelines", "tuning", "tests"):
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").write_text(text)
    for module in ("training.py", "random.py", "yaml.py"):
        (folder / module).write_text(text)
    return folder


@pytest.mark.parametrize("text", ["", "raise RuntimeError('of the user')"])
def test_a_module_run_in_a_folder_with_packages_of_the_same_names_runs(tmp_path: Path, text: str) -> None:
    folder = folder_with_modules_of_the_same_names(tmp_path, text)
    assert python("-m", "cluster", "--version", folder=folder).startswith("raygene ")
    assert "trains" in python("-m", "cluster", "train", "--help", folder=folder).lower()


@pytest.mark.parametrize("text", ["", "raise RuntimeError('of the user')"])
def test_the_entry_point_uses_its_own_packages_whatever_the_search_path_has_first(tmp_path: Path, text: str) -> None:
    for package in ("pipelines", "training", "tuning"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text(text)
    code = "import sys; from cluster.cli import main; sys.exit(main(['--version']))"
    assert python("-c", code, folder=tmp_path, path=str(tmp_path)).startswith("raygene ")


def test_a_module_of_the_users_own_is_found_in_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "my_models.py").write_text("found = True")
    code = (
        "import sys; from cluster.imports import raygene_imports; raygene_imports.search_working_directory_last(); "
        "import my_models; print(my_models.found)"
    )
    assert python("-c", code, folder=tmp_path) == "True\n"


def worker(folder: Path, code: str) -> str:
    """What a worker of a local Ray does: it imports the module by name, and Ray then puts the driver's folder first."""
    start = f"import sys; import {raygene_imports.NAME}; sys.path.insert(0, {str(folder)!r}); "
    variables = raygene_imports.variables({"PYTHONPATH": str(ROOT)})
    done = subprocess.run(
        [sys.executable, "-c", start + code],
        cwd="/",
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_a_worker_imports_installed_modules_before_those_of_the_drivers_folder(tmp_path: Path) -> None:
    folder = folder_with_modules_of_the_same_names(tmp_path, "raise RuntimeError('of the user')")
    code = "import pipelines.errors, training.config, tuning, yaml, random; print(pipelines.__file__)"
    assert worker(folder, code) == f"{ROOT / 'pipelines' / '__init__.py'}\n"


def test_a_worker_still_finds_the_modules_of_the_drivers_folder(tmp_path: Path) -> None:
    (tmp_path / "my_models.py").write_text("found = True")
    (tmp_path / "own").mkdir()
    assert worker(tmp_path, "import cluster, my_models, own; print(my_models.found, own.__path__)").startswith("True")


def test_a_folder_without_modules_does_not_hide_an_installed_package(tmp_path: Path) -> None:
    (tmp_path / "yaml").mkdir()
    code = "import yaml; print(yaml.__file__)"
    assert "site-packages" in worker(tmp_path, code)


def test_the_variables_of_workers_are_added_once() -> None:
    once = raygene_imports.variables({"PYTHONPATH": "/a", "RAY_preload_python_modules": "own"})
    assert once == {
        "PYTHONPATH": f"{raygene_imports.FOLDER}{os.pathsep}/a",
        "RAY_preload_python_modules": "own,raygene_imports",
    }
    assert raygene_imports.variables(once) == once


def test_the_folder_on_the_workers_path_hides_nothing() -> None:
    modules = {path.name for path in Path(raygene_imports.FOLDER).iterdir()} - {"__pycache__"}
    assert modules == {"__init__.py", "raygene_imports.py"}


def test_the_function_for_running_clusters_needs_no_raygene_where_it_runs(tmp_path: Path) -> None:
    import ray.cloudpickle

    ray.cloudpickle.register_pickle_by_value(raygene_imports)
    pickled = ray.cloudpickle.dumps(raygene_imports.setup_hook())
    ray.cloudpickle.unregister_pickle_by_value(raygene_imports)
    (tmp_path / "hook").write_bytes(pickled)
    (tmp_path / "yaml.py").write_text("raise RuntimeError('of the user')")
    code = (
        "import pickle, sys; sys.path[:] = [p for p in sys.path if p]; "
        f"pickle.load(open({str(tmp_path / 'hook')!r}, 'rb'))(); sys.path.insert(0, {str(tmp_path)!r}); "
        "import yaml, pipelines; print('cluster' in sys.modules, yaml.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd="/", capture_output=True, text=True, check=False)
    assert done.stdout == "False yaml\n", done.stderr
    assert pickle.loads(pickled).__name__ == "find_installed_modules_first"
