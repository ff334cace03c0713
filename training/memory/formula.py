"""Peak memory of a training step as a pure function of configuration and batch: it runs nothing and takes microseconds.

Parameters, gradients and optimizer state follow from the model's sizes; activations from what torch saves for the
backward pass, part by part (`training.models.memory_stages`). The peak is the busiest moment of forward, backward and
optimizer. On a CPU it is the resident memory of a fresh process; on a GPU it is what torch's allocator hands out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from training import models, structure
from training.config import ModelConfig, TrainingConfig
from training.cost.amount import NOTHING, Amount
from training.cost.shape import FLOAT, ID, Device, Shape, strands_in_step
from training.cost.stage import Moment, Stage, frozen_below_head, moments
from training.models import ensemble

IMPORTED = 285e6
"""Resident bytes of a process that has imported torch and Arrow, unless a probe measures them."""
HEAD_STAGES = {"recognise": 1, "classify": 1, "structure": 2}
"""The last stages of each task, to which its head belongs: pooling and the logit, or the head and the loss."""
OPTIMIZER_STATES = {"adamw": 2, "adam": 2, "sgd": 1}


@dataclass(frozen=True)
class Work:
    """One worker's part of a step.

    Attributes:
        rows: sequences in a batch.
        tokens: of its longest sequence.
        device: cpu or cuda.
        accumulates: a step has several batches, so that gradients of an earlier one exist while the next runs.
        workers: how many share a step.
        steps: 1: the first step, before which an optimizer has no state; 2: any later one.
        task: `recognise`, `classify` or `structure`.
    """

    rows: int
    tokens: int
    device: Device = "cpu"
    accumulates: bool = False
    workers: int = 1
    steps: int = 2
    task: str = "recognise"


@dataclass(frozen=True)
class Estimate:
    """Bytes at the busiest moment of a step.

    Attributes:
        process: interpreter and libraries (CPU only).
        parameters: weights in float32, and their copy in half precision.
        optimizer: its state.
        gradients: of weights.
        activations: saved by the forward pass for the backward pass.
        temporary: needed meanwhile by the busiest operation.
        batch: token ids.
        busiest: the moment, such as `layer 1, backward`.
    """

    process: float
    parameters: float
    optimizer: float
    gradients: float
    activations: float
    temporary: float
    batch: float
    busiest: str

    @property
    def peak(self) -> int:
        """All parts together."""
        return round(sum(value for value in asdict(self).values() if not isinstance(value, str)))


def estimate(
    model: ModelConfig, training: TrainingConfig, vocabulary_size: int, work: Work, imported: float = IMPORTED
) -> Estimate:
    """The memory that a step takes.

    Args:
        model: the architecture.
        training: precision, optimizer and what is frozen in all epochs count.
        vocabulary_size: number of token ids.
        work: the batch.
        imported: resident bytes of a process that has imported torch (CPU).
    """
    # What each strand saves is held until the backward pass.
    work = replace(work, rows=strands_in_step(model, training) * work.rows)
    shape, stages = _stages(
        model, training, vocabulary_size, work, None if training.trains_body else HEAD_STAGES[work.task]
    )
    # A stage's weights are several tensors, the largest of which has about half of them.
    gradients = [shape.tensor(stage.weights / 2) * 2 for stage in stages]
    passes = moments(stages, gradients, accumulates=work.accumulates)
    update = _update(training, stages, shape, sum(gradients, NOTHING), work.workers)
    parameters = sum(stage.weights for stage in stages) + sum(stage.frozen for stage in stages)
    states = 0 if training.optimizer == "sgd" and not training.momentum else OPTIMIZER_STATES[training.optimizer]
    optimizer = states * sum(gradients, NOTHING).total
    is_first = work.steps == 1

    def height(moment: Moment) -> tuple[float, float]:
        # In the first step the optimizer allocates its state when it first runs.
        allocated = optimizer if is_first and moment is update else 0.0
        return moment.amount.mapped + allocated, moment.amount.total + allocated

    busiest = max([*passes, update], key=height)
    # A heap keeps the size that it has grown to at any moment.
    grown = max(moment.amount.heap for moment in [*passes, update]) - busiest.amount.heap
    cast = 0.0 if shape.item == FLOAT or busiest is update else parameters * shape.item / FLOAT
    return Estimate(
        process=imported + models.body_of(model).library_bytes if work.device == "cpu" else 0.0,
        parameters=parameters * (2 if training.ema_decay else 1) + cast,
        optimizer=0.0 if is_first and busiest is not update else optimizer,
        gradients=busiest.gradients.total,
        activations=busiest.activations.total,
        temporary=busiest.temporary.total + grown,
        batch=ID * work.rows * work.tokens,
        busiest=busiest.name,
    )


def evaluation(model: ModelConfig, training: TrainingConfig, vocabulary_size: int, work: Work) -> int:
    """The memory that evaluating a batch takes in addition to a process: weights, and the busiest moment.

    Args:
        model: the architecture.
        training: precision counts.
        vocabulary_size: number of token ids.
        work: the batch.
    """
    _, stages = _stages(model, training, vocabulary_size, work, trained=0)
    passes = moments(stages, [NOTHING] * len(stages), accumulates=False)
    parameters = sum(stage.weights + stage.frozen for stage in stages)
    return round(parameters + max(moment.amount.total for moment in passes) + ID * work.rows * work.tokens)


def _stages(
    model: ModelConfig, training: TrainingConfig, vocabulary_size: int, work: Work, trained: int | None
) -> tuple[Shape, list[Stage]]:
    """The batch, and the stages of all members, of whose own stages only the last so many are trained; None: all."""
    shape = Shape.of(model, training, work.rows, work.tokens, work.device)
    stages_of = structure.memory_stages if work.task == "structure" else models.memory_stages
    stages = stages_of(model, vocabulary_size, shape)
    if trained is not None:
        stages = frozen_below_head(stages, trained)
    return shape, stages if model.ensemble == 1 else list(ensemble.memory_stages(model.ensemble, stages))


def _update(training: TrainingConfig, stages: list[Stage], shape: Shape, gradients: Amount, workers: int) -> Moment:
    """The optimizer's own moment, or with several workers the flat copy of all gradients before it."""
    weights = [stage.weights for stage in stages]
    # GPUs update all weights at once, CPUs one tensor after the other; token vectors are one tensor.
    at_once = sum(weights) if shape.device == "cuda" else max(weights[0], max(weights[1:]) / 2)
    temporary = shape.tensor(at_once) * (1 if training.optimizer == "sgd" else 2)
    if workers > 1:
        temporary = max(temporary, shape.tensor(sum(weights)) * 2)
    return Moment("optimizer", gradients, NOTHING, temporary)
