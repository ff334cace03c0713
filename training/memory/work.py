"""The arithmetic of training, the peak that a GPU's maker gives for it, and the batch that fills a GPU's memory.

A GPU that reaches a small share of its peak waits for the host, or for one position of a recurrent layer after another.
More rows in a batch are what helps.
"""

from __future__ import annotations

from dataclasses import replace

from training import models
from training.config import ModelConfig, TrainingConfig
from training.cost.shape import FLOAT, Shape, strands_in_step
from training.memory.plan import DoesNotFitError, MemoryPlanner
from training.tasks import RECOGNISE, STRUCTURE, Name

OPERATIONS = 6
"""Of a weight at each position: a product and a sum, forward, and twice backward."""
PEAKS: dict[str, dict[str, float]] = {
    "H200": {"fp32": 67e12, "tf32": 494e12, "half": 989e12},
    "H100": {"fp32": 67e12, "tf32": 494e12, "half": 989e12},
    "A100": {"fp32": 19.5e12, "tf32": 156e12, "half": 312e12},
    "MI300X": {"fp32": 163e12, "tf32": 654e12, "half": 1307e12},
}
"""Operations a second by part of a GPU's name, without sparsity, from the makers' data sheets (SXM or OAM modules)."""
MOST_ROWS = 2**20


def operations_per_token(
    model: ModelConfig, training: TrainingConfig, tokens: int, task: Name = RECOGNISE
) -> float | None:
    """Floating-point operations of a training step for each token; None for gene structure, which is not counted.

    Every weight but those of token vectors is used once at each position, forward, and twice backward. Scores of
    attention are left out.

    Args:
        model: the architecture.
        training: precision does not count.
        tokens: of a sequence.
        task: of the dataset.
    """
    if task == STRUCTURE:
        return None
    shape = Shape.of(model, training, 1, tokens, "cuda")
    _, *stages = models.memory_stages(model, 1, shape)
    weights = sum(stage.weights + stage.frozen for stage in stages) / FLOAT
    # Where weights are shared between the strands, each is used for both.
    times = 2 if model.strands == "equivariant" else strands_in_step(model, training)
    return OPERATIONS * times * model.ensemble * weights * shape.positions / tokens


def peak_of(device: str, precision: str, tf32: bool | None) -> float | None:
    """Operations a second at the peak of a GPU by its maker's figures; None for a GPU that is not in `PEAKS`.

    Args:
        device: its name, as torch gives it.
        precision: `training.precision`.
        tf32: `training.tf32`; left out, recurrent layers and convolutions use TF32.
    """
    peaks = next((peaks for name, peaks in PEAKS.items() if name in device), None)
    if peaks is None:
        return None
    return peaks["half" if precision != "fp32" else "fp32" if tf32 is False else "tf32"]


def filling_batch(planner: MemoryPlanner) -> int:
    """The largest `training.global_batch_size`, doubled from the present one, whose steps fit a device at once.

    Args:
        planner: of a run that fits; its probe does not run.
    """
    rows = planner.training.global_batch_size
    while rows < MOST_ROWS:
        doubled = planner.training.model_copy(update={"global_batch_size": 2 * rows, "token_budget": None})
        try:
            plan = replace(planner, training=doubled, probe=None).plan()
        except DoesNotFitError:
            break
        if plan.token_budget < plan.longest * -(-2 * rows // doubled.workers):
            break
        rows *= 2
    return rows
