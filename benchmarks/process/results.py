"""Files of figures. `storage.write_json` writes them: whole, whenever a benchmark is stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_results(path: Path, otherwise: dict[str, Any] | None = None) -> dict[str, Any]:
    """The figures stored in a file; where there is none, `otherwise`, or none at all.

    Raises:
        ValueError: the file is not JSON.
    """
    if path.exists():
        figures: dict[str, Any] = json.loads(path.read_text())
        return figures
    return {} if otherwise is None else otherwise
