from __future__ import annotations

import json
import os
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RunInFullEnvironment = Callable[..., Any]


@pytest.fixture
def run_in_full_environment() -> RunInFullEnvironment:
    """Run a script, which reads JSON and prints JSON, where the programs are installed that results are compared with.

    They have an environment of their own, because sourmash wants an older cachetools than this project's.
    """
    python = os.environ.get("RAYGENE_FULL_PYTHON") or ""
    if not Path(python).is_file():
        pytest.skip(
            "RAYGENE_FULL_PYTHON is not set: it names the Python of an environment with sourmash and dinuc-shuf"
        )

    def run(script: str, document: Any, package: str) -> Any:
        if subprocess.run([python, "-c", f"import {package}"], capture_output=True).returncode != 0:
            pytest.skip(f"{package} is not installed next to {python}")
        finished = subprocess.run(
            [python, "-c", textwrap.dedent(script)],
            input=json.dumps(document),
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(finished.stdout)

    return run
