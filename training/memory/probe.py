"""Measures the peak memory of two optimizer steps with a batch of the longest sequences.

    python -m training.memory.probe < REQUEST.json

On a CPU it runs in a process of its own, because the peak of resident memory never falls again; on a GPU the allocator
reports its peak. A process that is killed, or an allocation that is refused, is a result too: the batch does not fit. A
probe takes some seconds to start and the time of two steps.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipelines.errors import ResourceError
from pipelines.structure.states import STATES, pack
from pipelines.tokens.vocabulary import PAD
from training import model_registry, models, structure
from training.config import ModelConfig, TrainingConfig
from training.data.batch import TokenBatch
from training.engine.objectives import row_losses
from training.engine.optimization import freezing, optimizers
from training.engine.optimization.weight_average import WeightAverage
from training.engine.precision import Precision
from training.engine.process import heap, threads
from training.hardware import allocator
from training.memory.formula import Work
from training.structure.batch import StructureBatch
from training.structure.loss import LossWeights, losses

STATUS = Path("/proc/self/status")
REFUSED = ("out of memory", "can't allocate memory", "not enough memory", "failed to allocate")
"""Parts of torch's messages for an allocation that is refused."""
TIMEOUT_S = 600
NO_PROBE = "leave it out with training.probe false"


@dataclass(frozen=True)
class Probe:
    """What a probe measured.

    Attributes:
        fits: whether the steps ended.
        peak: bytes at the peak; 0 if it does not fit.
        imported: resident bytes of the process before there is a model (CPU).
        reason: why it does not fit.
    """

    fits: bool
    peak: int
    imported: int
    reason: str = ""


def probe(
    model: ModelConfig, training: TrainingConfig, vocabulary_size: int, work: Work, timeout_s: float = TIMEOUT_S
) -> Probe:
    """Try a batch on this machine.

    Args:
        model: the architecture.
        training: precision, optimizer and clipping count.
        vocabulary_size: number of token ids.
        work: the batch, how many steps, and whether gradients of an earlier batch exist.
        timeout_s: seconds after which it counts as a failure.

    Raises:
        ResourceError: the probe failed for another reason than memory.
    """
    request = {
        "model": model.model_dump(mode="json"),
        "training": training.model_dump(mode="json"),
        "vocabulary_size": vocabulary_size,
        "work": asdict(work),
    }
    # The process imports from wherever this one does, a registered model's module included, which may be in the
    # working directory; without -P that would come first, and hide raygene's packages.
    root = str(Path(__file__).parents[2])
    paths = dict.fromkeys([root, *filter(None, sys.path), str(Path.cwd())])
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", __name__],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            env=os.environ | model_registry.environment() | {"PYTHONPATH": os.pathsep.join(paths)},
        )
    except subprocess.TimeoutExpired as error:
        raise ResourceError(f"the memory probe took over {timeout_s:.0f} s", NO_PROBE) from error
    if done.returncode == -signal.SIGKILL:
        return Probe(False, 0, 0, "the system killed the probe for lack of memory")
    try:
        return Probe(**json.loads(done.stdout.splitlines()[-1]))
    except (IndexError, ValueError, TypeError) as error:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1][:200]
        raise ResourceError(f"the memory probe failed ({reason})", NO_PROBE) from error


def measure(model: ModelConfig, training: TrainingConfig, vocabulary_size: int, work: Work) -> Probe:
    """Run the steps in this process and read the peak; a refused allocation is a result."""
    device = torch.device(work.device)
    if device.type == "cuda":
        allocator.let_segments_grow()
    # Before the process is measured: a model's own module may import libraries.
    models.body_of(model)
    imported = resident_bytes("VmRSS") if device.type == "cpu" else 0
    try:
        with heap.release_freed_memory():
            _run_steps(model, training, vocabulary_size, work, device)
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
            phrase in str(error).lower() for phrase in REFUSED
        ):
            return Probe(False, 0, imported, "the allocator refused: " + " ".join(str(error).split())[:120])
        raise
    peak = torch.cuda.max_memory_allocated() if device.type == "cuda" else resident_bytes("VmHWM")
    return Probe(True, peak, imported)


def _run_steps(
    model: ModelConfig, training: TrainingConfig, vocabulary_size: int, work: Work, device: torch.device
) -> None:
    make = structure.make if work.task == "structure" else models.make
    network = make(model, vocabulary_size).to(device)
    # The last epoch freezes least, and takes most.
    freezing.prepare(network, training, training.epochs - 1)
    optimizer = optimizers.make(network, training)
    average = WeightAverage(network, training.ema_decay) if training.ema_decay else None
    precision = Precision(training.precision, device)
    generator = np.random.default_rng(0)
    with threads.limited_for(network):
        for _ in range(work.steps):
            optimizer.zero_grad(set_to_none=True)
            for _ in range(2 if work.accumulates else 1):
                batch = _random_batch(work, vocabulary_size, generator).to(device)
                with precision.autocast():
                    loss = _losses(network, batch, model.logits).sum() / work.rows
                precision.backward(loss)
            precision.step(optimizer, network, training.max_grad_norm)
            if average is not None:
                average.add(1)


def _losses(network: nn.Module, batch: TokenBatch, outputs: int) -> Tensor:
    """The loss of each row, shape (rows,), or (members, rows)."""
    if isinstance(batch, StructureBatch):
        return losses(network(batch), batch, LossWeights(batch.longest))
    of_rows = row_losses.of_classes if outputs > 1 else row_losses.of_labels
    return of_rows(network(batch), batch.labels)


def _random_batch(work: Work, vocabulary_size: int, generator: np.random.Generator) -> TokenBatch:
    """Random tokens in rows from the longest down to half as long."""
    lengths = np.linspace(work.tokens, max(1, work.tokens // 2), work.rows).astype(np.int64)
    tokens = generator.integers(PAD + 1, vocabulary_size, int(lengths.sum()))
    labels = np.arange(work.rows) % 2
    parts = (torch.from_numpy(tokens), torch.from_numpy(lengths), torch.from_numpy(labels.astype(np.float32)), lengths)
    keys = torch.arange(work.rows, dtype=torch.int32)
    if work.task == "structure":
        states = generator.integers(0, STATES, (2, len(tokens))).astype(np.uint8)
        return StructureBatch(*parts, torch.from_numpy(pack(*states)), dropout_keys=keys)
    return TokenBatch(*parts, dropout_keys=keys)


def resident_bytes(key: str) -> int:
    """Resident memory of this process: `VmRSS` at present, `VmHWM` at its peak."""
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise ResourceError(f"{STATUS}: has no {key}", "probe on Linux, or set training.probe to false")


def _end_with_parent(parent: int) -> None:
    """End this process when the one that started it has ended, for nobody would read the result."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def main() -> None:
    """Read a request from standard input, and write what was measured to standard output."""
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    request: dict[str, Any] = json.loads(sys.stdin.read())
    measured = measure(
        ModelConfig.model_validate(request["model"]),
        TrainingConfig.model_validate(request["training"]),
        request["vocabulary_size"],
        Work(**request["work"]),
    )
    sys.stdout.write(json.dumps(asdict(measured)) + "\n")


if __name__ == "__main__":
    main()
