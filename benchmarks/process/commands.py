"""Verbs of this checkout, as processes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RAYGENE = (sys.executable, "-m", "cluster")


def raygene(*arguments: str | Path, is_quiet: bool = False) -> float:
    """Run a verb in the checkout; return its seconds, to a tenth.

    Args:
        arguments: of the command line.
        is_quiet: leave out what it prints, but for notes and errors.

    Raises:
        subprocess.CalledProcessError: the verb failed.
    """
    began = time.monotonic()
    subprocess.run(
        [*RAYGENE, *map(str, arguments)], check=True, cwd=ROOT, stdout=subprocess.DEVNULL if is_quiet else None
    )
    return round(time.monotonic() - began, 1)
