"""How many tokens a worker may take at once: the largest budget that fits a device's memory, from the formula and a probe.

The longest sequence has to fit alone. The probe runs two steps of it and corrects the formula upwards where more was
used. Planning without a probe takes milliseconds, with one some seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import ResourceError
from training.config import ModelConfig, TrainingConfig
from training.cost.shape import ID, Device
from training.data.feed import most_tokens
from training.engine import heap
from training.memory import probe as probes
from training.memory import remedies
from training.memory.capacity import shown
from training.memory.formula import IMPORTED, Estimate, Work, estimate
from training.memory.probe import Probe
from training.memory.remedies import Fix

# What a worker of Ray Train holds beside a bare process: Ray, Arrow and the libraries of metrics and logs.
WORKER = 250_000_000
# What gaps between blocks add on a CPU that keeps its heap, as a share of what a step takes; a heap's last growth comes on top.
GAPS = 2.0


class DoesNotFitError(ResourceError):
    """Not even one longest sequence fits, or not the budget asked for.

    Attributes:
        remedies: what does.
        needed: bytes of what does not.
    """

    remedies: list[Fix]
    needed: int


@dataclass(frozen=True)
class Room:
    """The memory of a device.

    Attributes:
        kind: cpu or cuda.
        size: bytes for each worker.
        here: whether it is in this machine, so that a probe can run on it.
    """

    kind: Device
    size: int
    here: bool


@dataclass(frozen=True)
class MemoryPlan:
    """What a training run may take at once.

    Attributes:
        token_budget: most padded tokens in a batch.
        room: the device.
        usable: bytes of it that a step may take: headroom and what a worker holds beside the step are left out.
        longest: tokens of the longest sequence.
        sequences: of the longest that fit at once.
        alone: the estimate of one longest sequence.
        full: the estimate of the largest batch.
        probe: what the probe of one longest sequence saw; None: none was made.
        correction: by how much the probe saw more than the formula told; 1: not more.
        copies: bytes that the best weights so far and a checkpoint under way take beside a step on a CPU; 0 on a GPU, whose copies
            lie on its host.
        kept: bytes beyond the peak by which a CPU's freed memory may be kept while it trains, which is faster; 0: there is
            no room for that.
    """

    token_budget: int
    room: Room
    usable: int
    longest: int
    sequences: int
    alone: Estimate
    full: Estimate
    probe: Probe | None
    correction: float
    copies: int
    kept: int

    @property
    def retain_memory(self) -> bool:
        """Whether freed memory may be kept."""
        return self.kept > 0

    @property
    def peak(self) -> int:
        """Bytes of the largest batch, corrected by the probe."""
        return round(self.full.peak * self.correction)


def plan(
    model: ModelConfig,
    training: TrainingConfig,
    lengths: NDArray[np.int64],
    vocabulary_size: int,
    room: Room,
    bases: Callable[[int], int] = lambda tokens: tokens,
    *,
    try_out: bool = True,
) -> MemoryPlan:
    """The largest token budget that fits, no larger than a step can need.

    Args:
        model: the architecture.
        training: `batch`, `workers`, `headroom` and what decides memory count. A `token_budget` is held against the plan.
        lengths: tokens of every sequence, shape (rows,).
        vocabulary_size: token ids.
        room: the device's memory, of each worker.
        bases: length in bases of a sequence of so many tokens, for the remedy `crop.length`.
        try_out: probe, where the device is in this machine.

    Raises:
        DoesNotFitError: the longest sequence or the given budget does not fit.
    """
    longest, rows = int(lengths.max()), _rows(training)
    most = rows * longest
    usable = _usable(training, lengths, room)
    quantiles = sorted({int(one) for one in np.quantile(lengths, (0, 0.25, 0.5, 0.75, 1))})
    found = (
        probes.probe(model, training, vocabulary_size, _work(1, longest, room, training, 2))
        if try_out and room.here
        else None
    )
    imported = found.imported if found and found.imported else IMPORTED
    alone = estimate(model, training, vocabulary_size, _work(1, longest, room, training), imported)
    correction = max(1.0, found.peak / alone.peak) if found and found.fits else 1.0

    def heaviest(budget: int) -> Estimate:
        shapes = [(min(rows, max(1, budget // tokens)), tokens) for tokens in quantiles]
        several = budget < most
        works = [_work(count, tokens, room, training, several=several) for count, tokens in shapes]
        estimates = [estimate(model, training, vocabulary_size, one, imported) for one in works]
        return max(estimates, key=lambda one: one.peak)

    def needs(one: Estimate) -> int:
        return round(one.peak * correction) + copies(one, room.kind)

    def fits(budget: int) -> bool:
        return needs(heaviest(budget)) <= usable

    if (found and not found.fits) or not fits(longest):
        limit = usable if not found or found.fits else min(usable, needs(alone) - 1)
        needed = needs(alone)
        others = _of_the_step(training, lengths, room, needed) if not found or found.fits else []
        raise _refusal(
            model, training, vocabulary_size, longest, room, limit, needed, found, correction, imported, bases, others
        )
    budget = _largest(fits, longest, most)
    if training.token_budget is not None:
        if training.token_budget > budget and not fits(training.token_budget):
            raise _too_large(training.token_budget, budget, needs(heaviest(training.token_budget)), usable, room)
        # Beyond what a step can need it would only let validation take more than was planned.
        budget = min(training.token_budget, max(most, budget))
    full = heaviest(max(budget, longest))
    kept = round(GAPS * (full.peak - full.process) * correction) + heap.PAD
    return MemoryPlan(
        token_budget=budget,
        room=room,
        usable=usable,
        longest=longest,
        sequences=min(rows, max(1, budget // longest)),
        alone=alone,
        full=full,
        probe=found,
        correction=correction,
        copies=copies(full, room.kind),
        kept=kept if room.kind == "cpu" and needs(full) + kept <= usable else 0,
    )


def copies(found: Estimate, kind: Device) -> int:
    """Bytes that training holds beside its steps on a CPU: the best weights so far, and weights and optimizer of a checkpoint that
    is being written."""
    return round(2 * found.parameters + found.optimizer) if kind == "cpu" else 0


def _rows(training: TrainingConfig) -> int:
    """Sequences of a step that one worker takes."""
    return -(-training.global_batch_size // training.workers)


def _usable(training: TrainingConfig, lengths: NDArray[np.int64], room: Room) -> int:
    """Bytes of a device that a step may take; on a CPU less what a worker holds, batches made ahead included."""
    left = round(room.size * (1 - training.headroom))
    if room.kind != "cpu":
        return left
    heaviest = int(np.partition(lengths, -min(_rows(training), len(lengths)))[-_rows(training) :].sum())
    return left - WORKER - 2 * ID * most_tokens(heaviest)


def _of_the_step(training: TrainingConfig, lengths: NDArray[np.int64], room: Room, needed: int) -> list[Fix]:
    """Fewer workers, who share a machine's memory, or fewer sequences a step, whose batches are made ahead."""
    if room.kind != "cpu":
        return []
    found = []
    for workers in range(training.workers - 1, 0, -1):
        fewer = training.model_copy(update={"workers": workers})
        larger = Room(room.kind, room.size * training.workers // workers, room.here)
        if needed <= _usable(fewer, lengths, larger):
            found.append(Fix({"training.workers": workers}, needed))
            break
    batch = training.global_batch_size // 2
    while batch and needed > _usable(training.model_copy(update={"global_batch_size": batch}), lengths, room):
        batch //= 2
    return [*found, Fix({"training.global_batch_size": batch}, needed)] if batch else found


def _work(
    rows: int, tokens: int, room: Room, training: TrainingConfig, steps: int = 2, *, several: bool = True
) -> Work:
    return Work(rows, tokens, room.kind, several=several, workers=training.workers, steps=steps)


def _largest(fits: Callable[[int], bool], least: int, most: int) -> int:
    """The largest budget that fits, to about a hundredth; `least` does."""
    if fits(most):
        return most
    low, high = least, most
    while high - low > max(1, low // 100):
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _refusal(
    model: ModelConfig,
    training: TrainingConfig,
    vocabulary_size: int,
    longest: int,
    room: Room,
    usable: int,
    needed: int,
    found: Probe | None,
    correction: float,
    imported: float,
    bases: Callable[[int], int],
    others: list[Fix],
) -> DoesNotFitError:
    def peak(changed: ModelConfig, optimisation: TrainingConfig, tokens: int) -> int:
        work = _work(1, tokens, room, optimisation)
        found = estimate(changed, optimisation, vocabulary_size, work, imported)
        return round(found.peak * correction) + copies(found, room.kind)

    ranked = others + remedies.remedies(model, training, longest, usable, peak, bases)
    told = ", or ".join(f"{one} ({shown(one.peak)})" for one in ranked[:4])
    seen = f" ({found.reason})" if found and not found.fits else ""
    where = "GPU" if room.kind == "cuda" else "machine"
    beside = "" if room.kind == "cuda" else ", a worker itself and its batches ahead"
    error = DoesNotFitError(
        f"model.kind {model.kind}: one sequence of {longest:,} tokens takes {shown(needed)}, and the {where} "
        f"has {shown(max(0, usable))} of {shown(room.size)} for it (training.headroom{beside} left out){seen}",
        f"set {told}" if told else "take a device with more memory",
    )
    error.remedies, error.needed = ranked, needed
    return error


def _too_large(asked: int, budget: int, needed: int, usable: int, room: Room) -> DoesNotFitError:
    error = DoesNotFitError(
        f"training.token_budget {asked:,}: takes {shown(needed)}, and there are {shown(usable)} of "
        f"{shown(room.size)} for it",
        f"set it to {budget} or leave it out",
    )
    error.remedies, error.needed = [], needed
    return error
