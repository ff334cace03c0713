"""`metrics.jsonl`: one line an epoch, of the run that the checkpoints hold and of no other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines import storage


def write(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Make a file hold exactly these records, one line each; a file that does is left untouched.

    Raises:
        ResourceError: the place cannot be written.
    """
    text = "".join(json.dumps(record, sort_keys=True) + "\n" for record in records)
    if not path.exists() or path.read_bytes() != text.encode():
        storage.write_text(path, text)
