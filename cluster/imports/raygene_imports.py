"""Has a process import raygene's packages, and everything that is installed, before modules of the user's own folders.

Ray's workers look into the driver's working directory first of all, and `python -m` does likewise: a `pipelines/`, a
`training.py` or a `random.py` there would take the place of the module that raygene means. Here such a folder comes
last: a module that is nowhere else, such as one that `RAYGENE_MODELS` names, is still found there.

Imports nothing of raygene. The package `raygene` loads it from its file before anything else. A worker of a local Ray
imports it by its own name (`variables`) before its first task, and one of a running cluster gets it as a function
(`setup_hook`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder

NAME = "raygene_imports"
PACKAGES = ("pipelines", "training", "tuning", "cluster", "raygene")
FOLDER = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 (pathlib takes 30 ms to import)
ROOT = os.path.dirname(os.path.dirname(FOLDER))  # noqa: PTH120
"""The folder that holds raygene's packages."""
_PRELOADED = "RAY_preload_python_modules"


class InstalledFirst:
    """A finder of top-level modules that is asked before `sys.path` is searched.

    Args:
        root: the folder that holds raygene's packages; it is passed over where it does not exist.
        folders: what else is searched, in this order, before `sys.path` is.
    """

    is_of_raygene = True

    def __init__(self, root: str, folders: Sequence[str]) -> None:
        self._root, self._folders = root, list(folders)

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """The module's place, or None if it is in none of the folders, or part of a package."""
        if path is not None:
            return None
        spec = PathFinder.find_spec(name, [self._root, *self._folders] if name in PACKAGES else self._folders)
        # A folder without __init__.py is a package only where nothing else has the name.
        return spec if spec is not None and spec.loader is not None else None


def install(root: str = ROOT, folders: Sequence[str] = ()) -> None:
    """Put an `InstalledFirst` before the finder that searches `sys.path`, in place of an earlier one."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not getattr(finder, "is_of_raygene", False)]
    place = next((i for i, finder in enumerate(sys.meta_path) if finder is PathFinder), len(sys.meta_path))
    sys.meta_path.insert(place, InstalledFirst(root, folders))  # type: ignore[arg-type]


def prefer_own_packages() -> None:
    """Have this process import raygene's packages from beside this file, whatever folders come first in `sys.path`."""
    if not any(getattr(finder, "is_of_raygene", False) for finder in sys.meta_path):
        install()


def imported_from_elsewhere() -> tuple[str, str] | None:
    """A module of another folder that has the name of one of raygene's packages and is imported already.

    Returns:
        Its name and its file; None if there is none.
    """
    for name in PACKAGES:
        module = sys.modules.get(name)
        if module is None:
            continue
        path = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", [])), name)
        if os.path.realpath(path) != os.path.realpath(os.path.join(ROOT, name, "__init__.py")):  # noqa: PTH118
            return name, path
    return None


def search_working_directory_last() -> None:
    """Have this process, started by `python -m`, find installed modules before those of its working directory."""
    first, *others = sys.path or [""]
    if first in ("", os.getcwd()) and first != ROOT:  # noqa: PTH109
        install(folders=others)


def variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables with which every worker of a local Ray finds installed modules first.

    Args:
        environment: the variables so far.
    """
    path = environment.get("PYTHONPATH", "")
    modules = environment.get(_PRELOADED, "")
    return {
        "PYTHONPATH": path if FOLDER in path.split(os.pathsep) else os.pathsep.join(filter(None, [FOLDER, path])),
        _PRELOADED: modules if NAME in modules.split(",") else ",".join(filter(None, [modules, NAME])),
    }


def setup_hook() -> Callable[[], None]:
    """A function with which a worker of any cluster finds installed modules first; it is pickled by value."""
    root = ROOT

    def find_installed_modules_first() -> None:
        install(root, sys.path)

    return find_installed_modules_first


if __name__ == NAME:
    install(folders=sys.path)
