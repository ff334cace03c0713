"""Memory of LSTM and GRU layers.

CPU: oneDNN's LSTM keeps a workspace of gates and cell states from forward to backward; torch's GRU is operations by the
position, of which seven results are kept. GPU: cuDNN and MIOpen keep a reserve of about the gates and a state or two.
"""

from __future__ import annotations

from collections.abc import Iterator

from training.config import ModelConfig
from training.memory.amount import NOTHING, Amount
from training.memory.shape import FLOAT, ID, MAPPED, Shape
from training.memory.stage import Stage

LSTM_RESERVE, GRU_RESERVE = 6, 5
GRU_KEPT, GRU_GATES = 7, 3
GRU_NODES = 18_000
STATE_COPIES, STATE_FLOOR = 3, 70
RECYCLED = 0.4
CACHE_LINE = 64


def layers(model: ModelConfig, shape: Shape, width: int) -> Iterator[Stage]:
    """One stage a layer, for vectors of `width` that come in."""
    directions = 2 if model.bidirectional else 1
    for layer in range(model.layers):
        yield _layer(model, shape, width, directions, layer)
        width = model.hidden * directions


def _layer(model: ModelConfig, shape: Shape, width: int, directions: int, layer: int) -> Stage:
    gates = 4 if model.kind == "lstm" else 3
    come, gone = shape.states(width), shape.states(model.hidden)
    both = directions == 2
    order = shape.tensor(ID * shape.places) if both and layer == 0 else NOTHING
    # What comes in is kept, the first time as a copy in the order of time, and for the other direction reversed.
    kept = come * (int(_own_input(model, shape, layer)) + int(both)) + order
    if model.kind == "lstm":
        left, more = _workspace(width, model.hidden, shape)
        kept = kept + (gone + left) * directions
        forward = shape.states(_leading(4 * model.hidden, shape))
        # The gradient that comes in, and its copy reversed or in the order of time.
        gradients = 3 if both else 1 + int(shape.rows > 1)
        backward = gone * gradients + come + forward + more
    else:
        left, more = _graph(model.hidden, shape)
        kept = kept + left * directions
        gathered = shape.states(GRU_GATES * model.hidden)
        forward = gathered + gone * directions
        backward = gone * (2 * directions - 1) + gathered + come + more
    weights = FLOAT * directions * gates * model.hidden * (width + model.hidden + 2)
    return Stage(f"layer {layer + 1}", weights=weights, kept=kept, forward=forward, backward=backward)


def _own_input(model: ModelConfig, shape: Shape, layer: int) -> bool:
    """Whether a layer keeps its input, and no layer before it does already."""
    if layer == 0:
        return shape.rows > 1 or bool(model.stem)
    return model.kind == "gru" or model.bidirectional


def _workspace(width: int, hidden: int, shape: Shape) -> tuple[Amount, Amount]:
    """What an LSTM's forward pass leaves, of one direction, and what its backward pass uses more of that.

    oneDNN lays gates, states and gradients of states out in one piece and touches the last in the backward pass only.
    """
    if shape.device == "cuda":
        return shape.states(LSTM_RESERVE * hidden), NOTHING
    item, places = shape.item, shape.places
    widest, gates, own = (_leading(numbers, shape) for numbers in (max(width, hidden), 4 * hidden, hidden))
    left = item * places * (gates + hidden)
    numbers = STATE_COPIES * (widest if widest % 256 == 16 else max(width, hidden)) + STATE_FLOOR
    more = FLOAT * places * numbers
    whole = item * places * (gates + own + 2 * widest + 2 * own) + FLOAT * places * (2 * widest + 2 * own + 4 * hidden)
    if whole > MAPPED:
        return Amount(mapped=left), Amount(mapped=more)
    # In the heap it lies where other tensors have been.
    return Amount(heap=left + RECYCLED * (whole - left)), Amount(heap=(1 - RECYCLED) * more)


def _graph(hidden: int, shape: Shape) -> tuple[Amount, Amount]:
    """What a GRU's forward pass leaves, of one direction, and what its backward pass adds before it is gathered.

    Gradients of gates are three times as long as the results that are freed meanwhile, and find no holes among them.
    """
    if shape.device == "cuda":
        return shape.states(GRU_RESERVE * hidden), NOTHING
    left = _steps(GRU_KEPT, hidden, shape) + Amount(heap=GRU_NODES * shape.positions)
    return left, _steps(GRU_GATES, hidden, shape)


def _steps(numbers: int, hidden: int, shape: Shape) -> Amount:
    """So many states at every position, each a tensor of its own."""
    return shape.tensor(shape.item * shape.rows * hidden) * (numbers * shape.positions)


def _leading(numbers: int, shape: Shape) -> int:
    """Length of a row of oneDNN's workspace: whole cache lines, but no multiple of 256 numbers."""
    line = CACHE_LINE // shape.item
    length = -(-numbers // line) * line
    return length + line if length % 256 == 0 and shape.device == "cpu" else length
