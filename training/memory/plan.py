"""How many tokens a worker may process at once: the largest budget that fits a device's memory.

The longest sequence has to fit alone. A formula estimates what a step takes; a probe runs two steps of the longest
sequence and corrects the formula upwards where more was used. Planning takes milliseconds without a probe, some seconds
with one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipelines.display import format_compared, format_size
from pipelines.errors import ResourceError
from training.config import ModelConfig, TrainingConfig
from training.cost.shape import ID, Device
from training.data.feed import most_tokens
from training.engine.process import heap
from training.memory import fixes, validation
from training.memory.fixes import Fix
from training.memory.formula import IMPORTED, Estimate, Work, estimate
from training.memory.probe import Probe
from training.tasks import RECOGNISE, STRUCTURE, Name

WORKER_BYTES = 150_000_000
"""What a worker of Ray Train holds in addition to a process with a step: Ray, the libraries of logs, and the dataset's
table. One of an LSTM of 8 had 537 MB, 140 more than its step; without Ray 420."""
PAGES = 64 << 20
"""What a GPU gives out in addition to tensors: pages of 2 and 20 MiB, the last of which are never full, and cuBLAS's
workspace of up to 32 MiB. Segments that grow (`training.hardware.allocator`) leave no gaps between tensors; where the
driver lacks them, `training.headroom` is for the gaps."""
GAPS = 2.0
"""What gaps between blocks may take on a CPU that retains its heap, in steps, before the heap's last growth. They grow
with every step of another length; a process that has grown by more than a step and these returns what is free."""
AMPLE_GAPS = 4.0
"""The same where there is plenty of memory. Training on whole genes took 4.9 steps where nothing was returned."""
AMPLE_SHARE = 0.25
"""`AMPLE_GAPS` are retained where a step and they take at most this share of the usable memory."""
TIGHT = 0.5
"""Share of the usable memory above which the formula, which is within a tenth, is checked by a probe."""
SHOWN_FIXES = 4

Prober = Callable[[ModelConfig, TrainingConfig, int, Work], Probe]
"""Runs a batch for a vocabulary of a size on the device, and measures it: `training.memory.probe.probe`."""


class DoesNotFitError(ResourceError):
    """One longest sequence does not fit, the requested budget does not, or what is fitted after training does not.

    Attributes:
        fixes: changes that make it fit, least harmful first.
        needed: bytes that what does not fit takes.
    """

    fixes: list[Fix]
    needed: int


@dataclass(frozen=True)
class DeviceMemory:
    """The memory of a device.

    Attributes:
        kind: cpu or cuda.
        size: bytes for each worker.
        is_local: whether it is in this machine, so that a probe can run on it.
        workers: that have as much in one machine.
    """

    kind: Device
    size: int
    is_local: bool
    workers: int


@dataclass(frozen=True)
class MemoryPlan:
    """What a training run may process at once.

    Attributes:
        token_budget: most padded tokens in a batch.
        device: the memory planned for.
        usable: bytes of it that a step may take: without headroom and what a worker holds apart from the step.
        longest: tokens of the longest sequence.
        sequences: how many of the longest fit at once.
        alone: the estimate of one longest sequence.
        full: the estimate of the largest batch.
        probe: what the probe of one longest sequence measured; None: none ran.
        correction: measured over estimated peak of that sequence; at least 1.
        copies: bytes that the best weights so far and a checkpoint being written take in addition to a step on a CPU; 0
            on a GPU, whose copies are in its host's memory.
        retained: bytes beyond the peak that a CPU may retain of freed memory while it trains, which is faster; 0: there
            is not enough memory for that.
        allowance: bytes by which a worker's process on a CPU may grow in its steps before it returns freed memory to
            the system; 0: it retains none.
        besides: bytes that a worker on a CPU holds apart from a process with its step: Ray, libraries, the decoder of
            structure, batches made ahead.
        mapped: bytes of the dataset's files, which a worker on a CPU shares with others and the system may take back.
    """

    token_budget: int
    device: DeviceMemory
    usable: int
    longest: int
    sequences: int
    alone: Estimate
    full: Estimate
    probe: Probe | None
    correction: float
    copies: int
    retained: int
    allowance: int
    besides: int = 0
    mapped: int = 0

    @property
    def retain_memory(self) -> bool:
        """Whether freed memory may be retained."""
        return self.retained > 0

    @property
    def peak(self) -> int:
        """Estimated bytes of the largest batch, corrected by the probe."""
        return round(self.full.peak * self.correction)

    @property
    def worker(self) -> int:
        """Estimated bytes of a worker's process at its peak (CPU), or of what it holds on a GPU."""
        return self.peak + self.copies + self.retained + self.besides + self.mapped

    @property
    def step(self) -> int:
        """Estimated bytes of the largest batch in addition to a process."""
        return self.peak - round(self.full.process)

    @property
    def is_tight(self) -> bool:
        """Whether a step takes so much of the usable memory that the formula alone is not exact enough."""
        return self.peak > TIGHT * self.usable


@dataclass(frozen=True, eq=False)
class MemoryPlanner:
    """Plans the memory of one training run on one device.

    Attributes:
        model: the architecture.
        training: `global_batch_size`, `workers`, `headroom` and what decides memory count. A `token_budget` is checked.
        lengths: tokens of every sequence, shape (rows,).
        vocabulary_size: number of token ids.
        device: the memory of each worker.
        bases: length in bases of a sequence of a number of tokens, to propose a `crop.length`.
        probe: tries a batch if the device is in this machine; None: the formula decides alone.
        task: of the dataset.
        shares_memory: whether anything else is planned beside the run's workers, such as other trials. Where nothing
            is, they retain more freed memory if there is plenty.
    """

    model: ModelConfig
    training: TrainingConfig
    lengths: NDArray[np.int64]
    vocabulary_size: int
    device: DeviceMemory
    bases: Callable[[int], int] = lambda tokens: tokens
    probe: Prober | None = None
    task: Name = RECOGNISE
    shares_memory: bool = True

    def plan(self) -> MemoryPlan:
        """The largest token budget that fits, no larger than a step can need.

        Raises:
            DoesNotFitError: the longest sequence or the requested budget does not fit.
        """
        if self._probe_failed or not self._fits(self._longest):
            raise self._longest_does_not_fit()
        budget = self._budget()
        full = self._heaviest(max(budget, self._longest))
        retained, allowance = self._retained(full)
        return MemoryPlan(
            token_budget=budget,
            device=self.device,
            usable=self._usable,
            longest=self._longest,
            sequences=min(self._rows, max(1, budget // self._longest)),
            alone=self._alone,
            full=full,
            probe=self._probed,
            correction=self._correction,
            copies=_copies(full, self.device.kind),
            retained=retained,
            allowance=allowance,
            besides=_besides(self.training, self.lengths, self.task) if self.device.kind == "cpu" else 0,
            mapped=_mapped(self.lengths, self.vocabulary_size, self.task) if self.device.kind == "cpu" else 0,
        )

    def plan_probing_if_tight(self) -> MemoryPlan:
        """The plan by the formula, or with a probe where a step takes more than `TIGHT` of the usable memory.

        Raises:
            DoesNotFitError: as `plan`.
        """
        by_formula = replace(self, probe=None).plan()
        return self.plan() if self.probe is not None and by_formula.is_tight else by_formula

    @cached_property
    def _longest(self) -> int:
        return int(self.lengths.max())

    @cached_property
    def _rows(self) -> int:
        """Sequences of a step that one worker takes."""
        return _rows_of_worker(self.training)

    @property
    def _largest_step(self) -> int:
        """Padded tokens that one worker's part of a step has at most."""
        return self._rows * self._longest

    @cached_property
    def _quantiles(self) -> list[int]:
        return sorted({int(length) for length in np.quantile(self.lengths, (0, 0.25, 0.5, 0.75, 1))})

    @cached_property
    def _usable(self) -> int:
        return _usable_bytes(self.training, self.lengths, self.device, self.task)

    @cached_property
    def _probed(self) -> Probe | None:
        if self.probe is None or not self.device.is_local:
            return None
        return self.probe(self.model, self.training, self.vocabulary_size, self._work(1, self._longest))

    @property
    def _probe_failed(self) -> bool:
        return self._probed is not None and not self._probed.fits

    @property
    def _imported(self) -> float:
        return self._probed.imported if self._probed and self._probed.imported else IMPORTED

    @cached_property
    def _alone(self) -> Estimate:
        return self._estimate(self._work(1, self._longest))

    @cached_property
    def _correction(self) -> float:
        return max(1.0, self._probed.peak / self._alone.peak) if self._probed and self._probed.fits else 1.0

    def _work(self, rows: int, tokens: int, *, accumulates: bool = True) -> Work:
        return Work(
            rows, tokens, self.device.kind, accumulates=accumulates, workers=self.training.workers, task=self.task
        )

    def _estimate(self, work: Work) -> Estimate:
        return estimate(self.model, self.training, self.vocabulary_size, work, self._imported)

    def _heaviest(self, budget: int) -> Estimate:
        """The estimate of the batch within a budget that takes most: of few long sequences or of many short ones."""
        accumulates = budget < self._largest_step
        works = [
            self._work(min(self._rows, max(1, budget // tokens)), tokens, accumulates=accumulates)
            for tokens in self._quantiles
        ]
        return max((self._estimate(work) for work in works), key=lambda estimated: estimated.peak)

    def _needed(self, estimated: Estimate) -> int:
        return round(estimated.peak * self._correction) + _copies(estimated, self.device.kind)

    def _fits(self, budget: int) -> bool:
        return self._needed(self._heaviest(budget)) <= self._usable

    def _budget(self) -> int:
        """The largest budget that fits, or the requested one if it does."""
        largest = self._largest_budget()
        requested = self.training.token_budget
        if requested is None:
            return largest
        if requested > largest and not self._fits(requested):
            raise self._budget_does_not_fit(requested, largest)
        # A budget above what a step can need would only let validation take more than was planned.
        return min(requested, max(self._largest_step, largest))

    def _largest_budget(self) -> int:
        """The largest budget that fits, to about a hundredth; one longest sequence does."""
        if self._fits(self._largest_step):
            return self._largest_step
        low, high = self._longest, self._largest_step
        while high - low > max(1, low // 100):
            middle = (low + high) // 2
            low, high = (middle, high) if self._fits(middle) else (low, middle)
        return low

    def _retained(self, full: Estimate) -> tuple[int, int]:
        """Freed memory that a worker on a CPU may retain beyond its peak, and the growth after which it returns it.

        Both in bytes, and 0 where that does not fit.
        """
        if self.device.kind != "cpu":
            return 0, 0
        step = round((full.peak - full.process) * self._correction)
        if self.task == STRUCTURE:
            retained = validation.retained_bytes(step, self._longest, self.model.kind)
            allowance = validation.allowed_bytes(step, self.model.kind)
        else:
            retained = round(AMPLE_GAPS * step) + heap.TOP_PAD
            if self.shares_memory or step + retained > AMPLE_SHARE * self._usable:
                retained = round(GAPS * step) + heap.TOP_PAD
            allowance = step + retained
        return (retained, allowance) if self._needed(full) + retained <= self._usable else (0, 0)

    def _longest_does_not_fit(self) -> DoesNotFitError:
        needed = self._needed(self._alone)
        # What the probe could not allocate does not fit, whatever the formula says.
        usable = min(self._usable, needed - 1) if self._probe_failed else self._usable
        proposed = [] if self._probe_failed else self._fixes_of_step(needed)
        proposed += fixes.propose(
            self.model, self.training, self._longest, usable, self._needed_when_changed, self.bases, self.task
        )
        shown = ", or ".join(f"{fix} ({format_size(fix.peak)})" for fix in proposed[:SHOWN_FIXES])
        reason = f" ({self._probed.reason})" if self._probed and self._probe_failed else ""
        is_gpu = self.device.kind == "cuda"
        deducted = (
            "training.headroom and pages that are never full"
            if is_gpu
            else "training.headroom, the worker itself and its prefetched batches"
        )
        required, available = format_compared(needed, max(0, usable))
        error = DoesNotFitError(
            f"model.kind {self.model.kind}: one sequence of {self._longest:,} tokens needs {required}, and "
            f"the {'GPU' if is_gpu else 'machine'} has {available} of "
            f"{format_size(self.device.size)} available (without {deducted}){reason}",
            f"set {shown}" if shown else "use a device with more memory",
        )
        error.fixes, error.needed = proposed, needed
        return error

    def _needed_when_changed(self, model: ModelConfig, training: TrainingConfig, tokens: int) -> int:
        """Bytes that one sequence of a number of tokens takes with another configuration."""
        changed = replace(self, model=model, training=training)
        estimated = estimate(model, training, self.vocabulary_size, changed._work(1, tokens), self._imported)
        return self._needed(estimated)

    def _fixes_of_step(self, needed: int) -> list[Fix]:
        """Fewer workers, which share a machine's memory, or fewer sequences a step, whose batches are prefetched."""
        if self.device.kind != "cpu":
            return []
        proposed = []
        of_machine = self.device.size * self.device.workers
        for workers in range(self.training.workers - 1, 0, -1):
            fewer = self.training.model_copy(update={"workers": workers})
            # With several machines all may be on one.
            in_machine = min(workers, self.device.workers)
            larger = replace(self.device, size=of_machine // in_machine, workers=in_machine)
            if needed <= _usable_bytes(fewer, self.lengths, larger, self.task):
                proposed.append(Fix({"training.workers": workers}, needed))
                break
        rows = self.training.global_batch_size // 2
        while rows and needed > _usable_bytes(
            self.training.model_copy(update={"global_batch_size": rows}), self.lengths, self.device, self.task
        ):
            rows //= 2
        return [*proposed, Fix({"training.global_batch_size": rows}, needed)] if rows else proposed

    def _budget_does_not_fit(self, requested: int, largest: int) -> DoesNotFitError:
        needed = self._needed(self._heaviest(requested))
        required, available = format_compared(needed, self._usable)
        error = DoesNotFitError(
            f"training.token_budget {requested:,}: needs {required}, and {available} of "
            f"{format_size(self.device.size)} are available",
            f"set it to {largest} or leave it out",
        )
        error.fixes, error.needed = [], needed
        return error


def step_allowance(
    model: ModelConfig, training: TrainingConfig, lengths: NDArray[np.int64], vocabulary_size: int, task: Name
) -> int:
    """Bytes by which a worker on a CPU may grow in its steps where others are planned beside it; see `MemoryPlan`.

    Args:
        model: the architecture.
        training: the optimisation, with the planned token budget.
        lengths: tokens of every sequence, shape (rows,).
        vocabulary_size: number of token ids.
        task: of the dataset.
    """
    unlimited = DeviceMemory("cpu", 1 << 60, is_local=False, workers=training.workers)
    return MemoryPlanner(model, training, lengths, vocabulary_size, unlimited, task=task).plan().allowance


def _copies(estimated: Estimate, kind: Device) -> int:
    """Bytes that training on a CPU holds apart from its steps: the best weights so far, and weights and optimizer state
    of a checkpoint that is being written."""
    return round(2 * estimated.parameters + estimated.optimizer) if kind == "cpu" else 0


def _rows_of_worker(training: TrainingConfig) -> int:
    return -(-training.global_batch_size // training.workers)


def _usable_bytes(training: TrainingConfig, lengths: NDArray[np.int64], device: DeviceMemory, task: Name) -> int:
    """Bytes that a step may take: without headroom and what a worker holds apart from it."""
    without_headroom = round(device.size * (1 - training.headroom))
    return without_headroom - (_besides(training, lengths, task) if device.kind == "cpu" else PAGES)


def _besides(training: TrainingConfig, lengths: NDArray[np.int64], task: Name) -> int:
    """Bytes that a worker on a CPU holds apart from a process with its step, prefetched batches included."""
    rows = _rows_of_worker(training)
    heaviest = int(np.partition(lengths, -min(rows, len(lengths)))[-rows:].sum())
    decoding = validation.decoding_bytes(int(lengths.max())) if task == STRUCTURE else 0
    return WORKER_BYTES + decoding + 2 * ID * most_tokens(heaviest)


def _mapped(lengths: NDArray[np.int64], vocabulary_size: int, task: Name) -> int:
    """Bytes of the token ids of a dataset, and of its states."""
    token = 2 if vocabulary_size <= 1 << 16 else 4
    return int(lengths.sum()) * (token + (task == STRUCTURE))
