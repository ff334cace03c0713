"""One forward pass, backward pass and optimizer step of a batch of the longest sequences, and the peak of memory it took.

    python -m training.memory.probe < REQUEST.json

On a CPU it runs in a process of its own, for the peak of resident memory never falls again; on a GPU the allocator is asked.
A process that is killed, or an allocation that is refused, is an answer: it does not fit. A probe takes some seconds for
starting and the time of two steps.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from pipelines.errors import ResourceError
from pipelines.tokens.vocabulary import PAD
from training import models
from training.config import ModelConfig, TrainingConfig
from training.data.batch import TokenBatch
from training.engine import heap, optimizers, threads
from training.engine.precision import Precision
from training.memory.formula import Work

STATUS = Path("/proc/self/status")
REFUSED = ("out of memory", "can't allocate memory", "not enough memory", "failed to allocate")
TIMEOUT_S = 600


@dataclass(frozen=True)
class Probe:
    """What a probe has seen.

    Attributes:
        fits: whether the steps ended.
        peak: bytes at the highest; 0 if it does not fit.
        imported: bytes of the process before the model (CPU).
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
        vocabulary_size: token ids.
        work: the batch, how many steps, and whether gradients of an earlier batch are there.
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
    command = [sys.executable, "-m", "training.memory.probe"]
    root = str(Path(__file__).parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        )
    except subprocess.TimeoutExpired as error:
        raise ResourceError(
            f"the memory probe took over {timeout_s:.0f} s", "leave it out with training.probe false"
        ) from error
    if done.returncode == -signal.SIGKILL:
        return Probe(False, 0, 0, "the system killed it for want of memory")
    try:
        return Probe(**json.loads(done.stdout.splitlines()[-1]))
    except (IndexError, ValueError, TypeError) as error:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1][:200]
        raise ResourceError(f"the memory probe failed ({reason})", "leave it out with training.probe false") from error


def measure(model: ModelConfig, training: TrainingConfig, vocabulary_size: int, work: Work) -> Probe:
    """Run the steps in this process and read the peak; a refused allocation is an answer."""
    device = torch.device(work.device)
    imported = resident("VmRSS") if device.type == "cpu" else 0
    try:
        with heap.spared():
            _steps(model, training, vocabulary_size, work, device)
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
            word in str(error).lower() for word in REFUSED
        ):
            return Probe(False, 0, imported, "the allocator refused: " + " ".join(str(error).split())[:120])
        raise
    peak = torch.cuda.max_memory_allocated() if device.type == "cuda" else resident("VmHWM")
    return Probe(True, peak, imported)


def _steps(
    model: ModelConfig, training: TrainingConfig, vocabulary_size: int, work: Work, device: torch.device
) -> None:
    network = models.make(model, vocabulary_size).to(device)
    network.train()
    optimizer = optimizers.make(network, training)
    network.get_parameter("embedding.weight").requires_grad_(training.freeze_embedding == 0)
    precision = Precision(training.precision, device)
    generator = np.random.default_rng(0)
    with threads.suited(network):
        for _ in range(work.steps):
            optimizer.zero_grad(set_to_none=True)
            for _ in range(2 if work.several else 1):
                batch = _batch(work, vocabulary_size, generator).to(device)
                with precision.autocast():
                    logits: Tensor = network(batch)
                losses = binary_cross_entropy_with_logits(logits, batch.labels, reduction="none")
                precision.backward(losses.sum() / work.rows)
            precision.step(optimizer, network, training.max_grad_norm)


def _batch(work: Work, vocabulary_size: int, generator: np.random.Generator) -> TokenBatch:
    """Random tokens; the shorter rows half as long as the longest."""
    lengths = np.linspace(work.tokens, max(1, work.tokens // 2), work.rows).astype(np.int64)
    tokens = generator.integers(PAD + 1, vocabulary_size, int(lengths.sum()))
    labels = np.arange(work.rows) % 2
    return TokenBatch(
        torch.from_numpy(tokens), torch.from_numpy(lengths), torch.from_numpy(labels.astype(np.float32)), lengths
    )


def resident(key: str) -> int:
    """Resident bytes of this process: VmRSS now, VmHWM at the highest."""
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise ResourceError(f"{STATUS}: has no {key}", "probe on Linux, or set training.probe to false")


def main() -> None:
    """Read a request from standard input, and write what was seen to standard output."""
    request: dict[str, Any] = json.loads(sys.stdin.read())
    found = measure(
        ModelConfig.model_validate(request["model"]),
        TrainingConfig.model_validate(request["training"]),
        request["vocabulary_size"],
        Work(**request["work"]),
    )
    sys.stdout.write(json.dumps(asdict(found)) + "\n")


if __name__ == "__main__":
    main()
