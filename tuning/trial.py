"""A trial: one configuration with one seed, from its proposal to its end, as a flat row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from tuning import keys

State = Literal["begun", "finished", "stopped early", "infeasible", "repeated", "failed"]
ENDED: tuple[State, ...] = ("finished", "stopped early", "infeasible", "repeated", "failed")
Row = dict[str, Any]
RENAMED = {"roomy": "retain_memory"}
"""Columns by the names they once had."""


@dataclass(frozen=True)
class Trial:
    """A row of the campaign.

    Attributes:
        number: from 1, in the order of proposal.
        configuration: from 1; trials that differ in their seed alone share it.
        key: of what decides the result; names the trial's folder.
        seed: `training.seed`.
        parameters: searched keys and their values.
        state: begun, or how it ended; repeated: another configuration comes to the same training, which is not run twice.
        reason: why it was stopped, does not fit, or failed.
        dataset: folder of the dataset.
        fingerprint: the dataset's.
        token_budget: most padded tokens in a batch.
        retain_memory: whether memory that is freed may be kept.
        cpus: of Ray, for the whole trial.
        gpus: of Ray, a share of one where several trials fit on a device.
        memory_predicted: bytes of the heaviest batch; where it does not fit, of what does not.
        memory_room: bytes that a trial may take.
        memory_measured: most bytes seen.
        weights: numbers that the model learns; None in a row of an earlier version, and where there is no model.
        epochs: trained.
        best_epoch: the one that is kept, of highest validation AUROC.
        validation_auroc: of that epoch, as are the figures after it.
        train_auroc: on a sample of train.
        seconds: spent in it, over all its runs.
        ended: from 1, in the order in which trials ended.
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
    seconds: float = 0.0
    ended: int | None = None

    @property
    def over(self) -> bool:
        """Whether it is not to be run any more."""
        return self.state in ENDED

    def value(self, metric: str) -> float | None:
        """Its validation figure."""
        found: float | None = getattr(self, f"validation_{metric}")
        return found

    def gap(self, metric: str) -> float | None:
        """By how much the figure on train is above that on validation."""
        learnt, held = getattr(self, f"train_{metric}"), self.value(metric)
        return None if learnt is None or held is None else learnt - held

    def with_epochs(self, records: list[Row]) -> Trial:
        """With the figures of its epochs so far."""
        if not records:
            return self
        best = max(records, key=lambda record: (record["validation_auroc"], -record["epoch"]))
        names = ("validation_auroc", "validation_mcc", "train_auroc", "train_mcc")
        found = {name: best.get(name) for name in names}
        figures: Row = {name: value if value is None or math.isfinite(value) else None for name, value in found.items()}
        return replace(
            self,
            epochs=records[-1]["epoch"],
            best_epoch=best["epoch"],
            seconds=round(sum(record["trial_seconds"] for record in records), 2),
            memory_measured=max((record.get("peak_memory_bytes") or 0 for record in records), default=0) or None,
            **figures,
        )

    def to_json(self) -> Row:
        """Every attribute."""
        return asdict(self)

    @classmethod
    def of_json(cls, row: Mapping[str, Any]) -> Trial:
        """From `to_json`, also of an earlier version; keys of a later one are left out."""
        known = {field.name for field in fields(cls)}
        values = {RENAMED.get(name, name): value for name, value in row.items()}
        values = {name: value for name, value in values.items() if name in known}
        values["parameters"] = {keys.with_current_name(key): value for key, value in row["parameters"].items()}
        return cls(**values)
