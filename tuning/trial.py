"""A trial: one configuration with one seed, from its proposal to its end, as a flat row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import TypeAdapter

from training.tasks import criterion_of
from tuning import keys

State = Literal["begun", "finished", "stopped early", "infeasible", "repeated", "failed"]
ENDED: tuple[State, ...] = ("finished", "stopped early", "infeasible", "repeated", "failed")
TIME_LIMIT = "tuning.trial_time_limit"
"""How the reason of a trial begins that took longer than it may."""
Row = dict[str, Any]
FIGURES = ("validation_auroc", "validation_mcc", "train_auroc", "train_mcc")
STRUCTURE_FIGURES = ("validation_exon_f1", "validation_cds_f1", "train_exon_f1", "train_cds_f1")
"""Columns of the metrics by task."""
OPTIONAL = (*STRUCTURE_FIGURES, "began_at", "ended_at")
"""Columns that a row has only where there is a value."""
RENAMED = {"roomy": "retain_memory"}
"""Columns of earlier versions, and their current names."""


def clock_time() -> str:
    """The time now, in UTC to the millisecond, as ISO 8601 writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class Trial:
    """A row of the study; the attributes are the columns of its tables.

    Attributes:
        number: from 1, in the order in which trials began.
        configuration: from 1; trials that differ only in their seed share it.
        key: SHA-256 of what decides the result; names the trial's folder.
        seed: `training.seed`.
        parameters: searched keys and their values.
        state: begun, or how it ended. `repeated`: another configuration results in the same training, which is not
            run twice.
        reason: why it was stopped, does not fit, or failed.
        dataset: directory or address of the dataset, without credentials.
        fingerprint: of the dataset.
        token_budget: maximum number of padded tokens in a batch.
        retain_memory: whether the process may retain memory that it has freed.
        cpus: CPUs that Ray reserves for the whole trial.
        gpus: GPUs that Ray reserves; a fraction where several trials fit on a device.
        memory_predicted: bytes at the peak of training; of an infeasible trial, bytes of what does not fit.
        memory_room: bytes of the device that the trial was planned for.
        memory_measured: bytes at the measured peak.
        weights: learnable numbers of the model; None in rows of earlier versions, and where no model can be built.
        epochs: number of epochs trained.
        best_epoch: the epoch that is kept, which is that of highest validation AUROC (structure: exon F1).
        validation_auroc: on all rows of validation, at the best epoch.
        validation_mcc: as above, with a threshold of 0.5.
        train_auroc: on a sample of the rows of train, at the best epoch.
        train_mcc: as above, with a threshold of 0.5.
        validation_exon_f1: of coding exons on a part of validation, at the best epoch (structure alone).
        validation_cds_f1: of coding bases, as above.
        train_exon_f1, train_cds_f1: on a part of train, at the best epoch.
        seconds: spent in its process, over all its runs.
        ended: from 1, in the order in which trials ended.
        began_at: when its process began, as `clock_time`; of several runs of the study the last one.
        ended_at: when it ended, as `clock_time`.
    """

    number: int
    configuration: int
    key: str
    seed: int
    parameters: dict[str, Any]
    state: State = "begun"
    reason: str = ""
    dataset: str = ""
    fingerprint: str = ""
    token_budget: int | None = None
    retain_memory: bool = True
    cpus: float = 1
    gpus: float = 0
    memory_predicted: int | None = None
    memory_room: int | None = None
    memory_measured: int | None = None
    weights: int | None = None
    epochs: int = 0
    best_epoch: int | None = None
    validation_auroc: float | None = None
    validation_mcc: float | None = None
    train_auroc: float | None = None
    train_mcc: float | None = None
    validation_exon_f1: float | None = None
    validation_cds_f1: float | None = None
    train_exon_f1: float | None = None
    train_cds_f1: float | None = None
    seconds: float = 0.0
    ended: int | None = None
    began_at: str | None = None
    ended_at: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it will not be run any more."""
        return self.state in ENDED

    def value(self, metric: str) -> float | None:
        """A figure of validation, such as `auroc`; None before its first epoch."""
        value: float | None = getattr(self, f"validation_{metric}")
        return value

    def gap(self, metric: str) -> float | None:
        """The metric on train less that on validation; None where either is missing."""
        train, validation = getattr(self, f"train_{metric}"), self.value(metric)
        return None if train is None or validation is None else train - validation

    def with_epochs(self, records: list[Row]) -> Trial:
        """This trial with the figures of its epochs so far."""
        if not records:
            return self
        criterion = criterion_of(records[0]).figure
        best = max(records, key=lambda record: (record[criterion], -record["epoch"]))
        values = {name: best.get(name) for name in (*FIGURES, *STRUCTURE_FIGURES)}
        # JSON has no NaN and no infinity.
        metrics: Row = {
            name: value if value is None or math.isfinite(value) else None for name, value in values.items()
        }
        return replace(
            self,
            epochs=records[-1]["epoch"],
            best_epoch=best["epoch"],
            seconds=round(sum(record["trial_seconds"] for record in records), 2),
            memory_measured=max((record.get("peak_memory_bytes") or 0 for record in records), default=0) or None,
            **metrics,
        )

    def to_json(self) -> Row:
        """All attributes, but those of `OPTIONAL` only where there is a value."""
        row = asdict(self)
        return {name: value for name, value in row.items() if value is not None or name not in OPTIONAL}

    @classmethod
    def of_json(cls, row: Mapping[str, Any]) -> Trial:
        """The trial of a row, also of one from an earlier version; unknown columns of a later version are ignored.

        Raises:
            ValueError: not a row, or a column without a default is missing or a value is of another type.
        """
        if not isinstance(row, Mapping) or not isinstance(row.get("parameters"), dict):
            raise ValueError("not the row of a trial")
        known = {field.name for field in fields(cls)}
        values = {RENAMED.get(name, name): value for name, value in row.items()}
        values = {name: value for name, value in values.items() if name in known}
        values["parameters"] = {keys.with_current_name(key): value for key, value in row["parameters"].items()}
        # Values stay as they are, such as a whole number of CPUs; one that had to be converted is of another type.
        if (validated := TypeAdapter(cls).validate_python(values)) != (trial := cls(**values)):
            raise ValueError(f"a value of another type, not {validated}")
        if min(trial.number, trial.configuration) < 1:
            raise ValueError("numbers from 1 on")
        return trial
