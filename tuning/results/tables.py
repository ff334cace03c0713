"""The trials of a study as CSV and Parquet: one row for each trial, one column for each searched key."""

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
    "began_at": pa.string(),
    "ended_at": pa.string(),
}


def table(trials: Sequence[Trial]) -> pa.Table:
    """All trials by number; parameters follow state and reason, in columns named like their keys."""
    columns: dict[str, pa.Array] = {}
    metrics = ("auroc", "mcc", "exon_f1", "cds_f1")
    rows = [trial.to_json() | {f"gap_{name}": trial.gap(name) for name in metrics} for trial in trials]
    for name, kind in _types(trials).items():
        columns[name] = pa.array([row.get(name) for row in rows], kind)
        if name == "reason":
            # Their types follow from the values: a key may hold numbers, text or lists.
            for key in summary.searched_keys(trials):
                columns[key] = _column([trial.parameters.get(key) for trial in trials])
    return pa.table(columns)


def _types(trials: Sequence[Trial]) -> dict[str, pa.DataType]:
    """The columns with their types; of the metrics those of the study's task."""
    if all(trial.validation_exon_f1 is None for trial in trials):
        return _TYPES
    of_structure = {"auroc": "exon_f1", "mcc": "cds_f1"}
    types = {}
    for name, kind in _TYPES.items():
        prefix, _, metric = name.rpartition("_")
        types[f"{prefix}_{of_structure[metric]}" if metric in of_structure else name] = kind
    return types


def _column(values: list[Any]) -> pa.Array:
    """A column of numbers, booleans or text; mixed or nested values become JSON text."""
    types = {type(value) for value in values if value is not None}
    if types == {bool} or types == {str} or types == {int}:
        return pa.array(values)
    if types and types <= {int, float}:
        return pa.array(values, pa.float64())
    texts = [
        value if value is None or isinstance(value, str) else fingerprint.canonical_json(value) for value in values
    ]
    return pa.array(texts, pa.string())


def write(trials: Sequence[Trial], output: Path) -> None:
    """Write both files.

    Raises:
        ResourceError: the directory cannot be written.
    """
    content = table(trials)
    with storage.replacing(output / CSV) as temporary:
        pyarrow.csv.write_csv(content, temporary)
    with storage.replacing(output / PARQUET) as temporary:
        pq.write_table(content, temporary)
