"""The longest-sequence analysis of an experiment and a dataset: what a step takes part by part, and the budget that fits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.tokens.tokenizer import Tokenizer
from training.config import ModelConfig, TrainingConfig
from training.cost.shape import Device
from training.engine.precision import require_device
from training.hardware import devices
from training.memory import capacity
from training.memory.capacity import shown
from training.memory.formula import Estimate
from training.memory.plan import MemoryPlan, Room, plan
from training.splits import open_splits

PARTS = {
    "process": "interpreter and libraries",
    "parameters": "weights, float32",
    "optimizer": "what the optimizer keeps for each weight",
    "gradients": "one for each weight",
    "activations": "kept from the forward pass for the backward pass",
    "temporary": "used meanwhile by the busiest operation",
    "batch": "token ids",
}
HEADER = ("part", "one longest sequence", "largest batch", "what it is")


@dataclass(frozen=True)
class Longest:
    """The longest sequence of the splits that training reads.

    Attributes:
        tokens: how many.
        split: where it is.
        interval: `genome:chromosome:start-end(strand)`, 0-based half-open, or its id where it has no place.
    """

    tokens: int
    split: str
    interval: str


@dataclass(frozen=True)
class Analysis:
    """What `raygene memory` tells."""

    plan: MemoryPlan
    longest: Longest

    def rows(self) -> list[tuple[object, ...]]:
        """Of the table of parts, and the peak."""
        alone, full = self.plan.alone, self.plan.full
        parts = [
            (name, shown(getattr(alone, name)), shown(getattr(full, name)), told)
            for name, told in PARTS.items()
            if getattr(full, name)
        ]
        return [*parts, ("peak", shown(alone.peak), shown(full.peak), f"busiest: {full.where}")]

    def to_json(self) -> dict[str, Any]:
        """Everything on screen, flat; sizes in bytes."""
        found = self.plan
        return {
            "token_budget": found.token_budget,
            "sequences": found.sequences,
            "longest_tokens": self.longest.tokens,
            "longest_split": self.longest.split,
            "longest_interval": self.longest.interval,
            "device_kind": found.room.kind,
            "device_memory": found.room.size,
            "usable": found.usable,
            "copies": found.copies,
            "predicted_longest": found.alone.peak,
            "predicted_largest": found.full.peak,
            "probed_longest": found.probe.peak if found.probe else None,
            "correction": found.correction,
            "retain_memory": found.retain_memory,
            **_parts("longest", found.alone),
            **_parts("largest", found.full),
        }


def _parts(name: str, found: Estimate) -> dict[str, int]:
    return {f"{name}_{part}": round(getattr(found, part)) for part in PARTS}


def analyse(
    model: ModelConfig,
    training: TrainingConfig,
    dataset: Path,
    device_memory: int | None = None,
    device_kind: Device | None = None,
) -> Analysis:
    """Plan the memory of a training run.

    Args:
        model: the architecture.
        training: the optimisation.
        dataset: directory of a token dataset.
        device_memory: bytes of a device that need not be here; None: of this machine's device.
        device_kind: cpu or cuda (default: cuda for a named device, else what training would choose here).

    Raises:
        DatasetError: no finished dataset, or a split that is empty or lacks a class.
        DoesNotFitError: the longest sequence, or a token budget that was given, does not fit.
        ResourceError: no such device here, or one that does not compute in `training.precision`.
    """
    splits = list(open_splits(dataset))
    room = room_of(training, device_memory, device_kind)
    require_device(training.precision, use_gpu=room.kind == "cuda")
    lengths = np.concatenate([split.lengths for split in splits])
    tokenizer = splits[0].tokenizer
    found = plan(
        model,
        training,
        lengths,
        tokenizer.vocabulary_size,
        room,
        lambda tokens: bases(tokenizer, tokens),
        try_out=training.probe,
    )
    return Analysis(found, _longest(splits))


def room_of(training: TrainingConfig, device_memory: int | None, device_kind: Device | None) -> Room:
    """The device to plan for, named or of this machine, as each worker sees it.

    Raises:
        ResourceError: no such device here.
    """
    if device_memory is not None:
        kind = device_kind or "cuda"
        return Room(kind, device_memory // (training.workers if kind == "cpu" else 1), here=False)
    kind = device_kind or devices.require(training.device)
    return Room(kind, capacity.available(kind, training.workers), here=True)


def bases(tokenizer: Tokenizer, tokens: int) -> int:
    """Length of a sequence that makes so many tokens."""
    return tokenizer.k + (tokens - 1) * tokenizer.stride


def _longest(splits: list[TokenDataset]) -> Longest:
    split = max(splits, key=lambda one: int(one.lengths.max()))
    number = int(split.lengths.argmax())
    row = split.table.slice(number, 1).to_pylist()[0]
    place = f"{row['genome']}:{row['chromosome']}:{row['start']}-{row['end']}({row['strand']})"
    return Longest(int(split.lengths[number]), split.split, place if row.get("chromosome") else str(row["interval_id"]))
