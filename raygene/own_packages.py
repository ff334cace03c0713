"""Has a process import the packages that lie beside this one, whatever has their names elsewhere.

`training`, `pipelines`, `tuning` and `cluster` are names that a project of one's own may well use. The finder that
decides between them is loaded from its file, because `import cluster` might give the user's own.
"""

from __future__ import annotations

import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 (pathlib takes 30 ms)
_FINDER = os.path.join(ROOT, "cluster", "imports", "raygene_imports.py")  # noqa: PTH118


def prefer() -> None:
    """Have this process import raygene's own packages from now on.

    Raises:
        ImportError: another module of one of these names is imported already.
    """
    finder = load_finder()
    finder.prefer_own_packages()
    if (other := finder.imported_from_elsewhere()) is not None:
        name, place = other
        raise ImportError(
            f"raygene: its package {name!r} cannot be imported, since {place} has been imported under this name: "
            "import raygene before it, or rename it"
        )


def load_finder() -> ModuleType:
    """The module `cluster.imports.raygene_imports` of this installation, under a name of its own."""
    name = f"{__package__}.finder"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, _FINDER)
    if spec is None or spec.loader is None:
        raise ImportError(f"{_FINDER}: missing; install raygene again")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[name] = module
    return module
