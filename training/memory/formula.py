"""Peak memory of a training step as a pure function of configuration and batch: nothing is run, it costs microseconds.

Parameters, gradients and optimizer state follow from the model's sizes; activations from what torch keeps for the backward
pass, part by part (`ends`, `recurrent`, `attention`); the peak is the busiest moment of forward, backward and optimizer.
On a CPU it is the resident memory of a fresh process; on a GPU what torch's allocator hands out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from training.config import ModelConfig, TrainingConfig
from training.cost.amount import NOTHING, Amount
from training.cost.shape import FLOAT, ID, Device, Shape
from training.cost.stage import Moment, Stage, moments
from training.models import attention_memory, ends_memory, recurrent_memory

IMPORTED = 315e6
LIBRARIES = {"lstm": 31e6, "gru": 31e6, "transformer": 36e6}
STATES = {"adamw": 2, "adam": 2, "sgd": 1}


@dataclass(frozen=True)
class Work:
    """One worker's part of a step.

    Attributes:
        rows: sequences in a batch.
        tokens: of its longest sequence.
        device: cpu or cuda.
        several: batches in a step: gradients of an earlier one are there while the next runs.
        workers: that share a step.
        steps: 1: the first step, before which an optimizer has no state; 2: any later one.
    """

    rows: int
    tokens: int
    device: Device = "cpu"
    several: bool = False
    workers: int = 1
    steps: int = 2


@dataclass(frozen=True)
class Estimate:
    """Bytes at the busiest moment of a step.

    Attributes:
        process: interpreter and libraries (CPU only).
        parameters: weights in float32.
        optimizer: its state.
        gradients: of weights.
        activations: what forward has left for backward.
        temporary: what the busiest operation uses meanwhile.
        batch: token ids.
        where: the busiest moment.
    """

    process: float
    parameters: float
    optimizer: float
    gradients: float
    activations: float
    temporary: float
    batch: float
    where: str

    @property
    def peak(self) -> int:
        """All of it."""
        return round(sum(value for value in asdict(self).values() if not isinstance(value, str)))


def stages(model: ModelConfig, vocabulary_size: int, shape: Shape) -> list[Stage]:
    """The parts of a model in forward order."""
    found = [ends_memory.embedding(model, vocabulary_size, shape)]
    width, directions = model.embedding, 1
    if model.stem:
        found.append(ends_memory.stem(model, shape))
        width = model.stem
    shape = shape.apart(model.frames)
    if model.kind == "transformer":
        found += attention_memory.layers(model, shape, width)
        width = model.hidden
    else:
        found += recurrent_memory.layers(model, shape, width)
        directions = 2 if model.bidirectional else 1
        width = model.hidden * directions
    return [*found, ends_memory.pooling(model, shape, width, directions)]


def estimate(
    model: ModelConfig, training: TrainingConfig, vocabulary_size: int, work: Work, imported: float = IMPORTED
) -> Estimate:
    """What a step takes.

    Args:
        model: the architecture.
        training: precision, optimizer and frozen token vectors count.
        vocabulary_size: token ids.
        work: the batch.
        imported: resident bytes of a process that has imported torch (CPU).
    """
    shape = Shape.of(model, training, work.rows, work.tokens, work.device)
    parts = stages(model, vocabulary_size, shape)
    # A part's weights are several tensors, of which the largest has about half of them.
    gradients = [shape.tensor(stage.weights / 2) * 2 for stage in parts]
    passes = moments(parts, gradients, several=work.several)
    update = _update(training, parts, shape, sum(gradients, NOTHING), work.workers)
    trained = sum(stage.weights for stage in parts)
    parameters = trained + sum(stage.frozen for stage in parts)
    each = 0 if training.optimizer == "sgd" and not training.momentum else STATES[training.optimizer]
    state = each * sum(gradients, NOTHING).total
    first = work.steps == 1

    def height(moment: Moment) -> tuple[float, float]:
        more = state if first and moment is update else 0.0
        return moment.amount.mapped + more, moment.amount.total + more

    busy = max([*passes, update], key=height)
    # A heap keeps what it has grown to, whenever that was.
    grown = max(one.amount.heap for one in [*passes, update]) - busy.amount.heap
    cast = 0.0 if shape.item == FLOAT or busy is update else parameters * shape.item / FLOAT
    return Estimate(
        process=imported + LIBRARIES[model.kind] if work.device == "cpu" else 0.0,
        parameters=parameters + cast,
        optimizer=0.0 if first and busy is not update else state,
        gradients=busy.gradients.total,
        activations=busy.activations.total,
        temporary=busy.temporary.total + grown,
        batch=ID * work.rows * work.tokens,
        where=busy.where,
    )


def _update(training: TrainingConfig, parts: list[Stage], shape: Shape, gradients: Amount, workers: int) -> Moment:
    """The optimizer's own moment, or with several workers the flat copy of all gradients before it."""
    weights = [stage.weights for stage in parts]
    # GPUs update all weights at once, CPUs one tensor after the other; token vectors are one tensor.
    at_once = sum(weights) if shape.device == "cuda" else max(weights[0], max(weights[1:]) / 2)
    temporary = shape.tensor(at_once) * (1 if training.optimizer == "sgd" else 2)
    if workers > 1:
        temporary = max(temporary, shape.tensor(sum(weights)) * 2)
    return Moment("optimizer", gradients, NOTHING, temporary)
