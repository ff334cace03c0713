"""The trials of a campaign as CSV and Parquet: a row each, a column for every searched key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from pipelines import fingerprint, storage
from tuning import summary
from tuning.trial import Trial

CSV, PARQUET = "trials.csv", "trials.parquet"
_TYPES: dict[str, pa.DataType] = {
    "number": pa.int64(),
    "configuration": pa.int64(),
    "seed": pa.int64(),
    "state": pa.string(),
    "reason": pa.string(),
    "validation_auroc": pa.float64(),
    "validation_mcc": pa.float64(),
    "train_auroc": pa.float64(),
    "train_mcc": pa.float64(),
    "gap_auroc": pa.float64(),
    "gap_mcc": pa.float64(),
    "weights": pa.int64(),
    "memory_predicted": pa.int64(),
    "memory_measured": pa.int64(),
    "memory_room": pa.int64(),
    "epochs": pa.int64(),
    "best_epoch": pa.int64(),
    "seconds": pa.float64(),
    "ended": pa.int64(),
    "cpus": pa.float64(),
    "gpus": pa.float64(),
    "token_budget": pa.int64(),
    "dataset": pa.string(),
    "fingerprint": pa.string(),
    "key": pa.string(),
}


def table(trials: Sequence[Trial]) -> pa.Table:
    """Every trial, in the order of proposal; parameters stand after state and reason, under their keys."""
    columns: dict[str, pa.Array] = {}
    rows = [trial.to_json() | {f"gap_{name}": trial.gap(name) for name in ("auroc", "mcc")} for trial in trials]
    for name, kind in _TYPES.items():
        columns[name] = pa.array([row[name] for row in rows], kind)
        if name == "reason":
            for key in summary.searched(trials):
                columns[key] = _column([trial.parameters.get(key) for trial in trials])
    return pa.table(columns)


def _column(values: list[Any]) -> pa.Array:
    """Numbers as numbers; what is mixed or nested as text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool} or kinds == {str} or kinds == {int}:
        return pa.array(values)
    if kinds and kinds <= {int, float}:
        return pa.array(values, pa.float64())
    plain = [
        value if value is None or isinstance(value, str) else fingerprint.canonical_json(value) for value in values
    ]
    return pa.array(plain, pa.string())


def write(trials: Sequence[Trial], output: Path) -> None:
    """Write both files.

    Raises:
        ResourceError: the place cannot be written.
    """
    made = table(trials)
    with storage.replacing(output / CSV) as temporary:
        pyarrow.csv.write_csv(made, temporary)
    with storage.replacing(output / PARQUET) as temporary:
        pq.write_table(made, temporary)
