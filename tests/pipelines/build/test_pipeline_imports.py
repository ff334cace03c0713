"""What a worker of a build imports before its first task."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"pandas", "scipy", "sklearn", "pybedtools", "ray", "torch"}


def test_a_worker_that_encodes_imports_neither_pandas_nor_scipy() -> None:
    code = "import pipelines.build.pipeline, sys; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & HEAVY
