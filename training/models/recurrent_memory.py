"""Memory of LSTM and GRU layers.

CPU: oneDNN's LSTM keeps a workspace of gates and cell states from forward to backward; `models.gru` keeps gates and states in
float32, and in half precision torch's GRU is operations by the position, of which seven results are kept. GPU: cuDNN and
MIOpen keep a reserve of about the gates and a state or two.
"""

from __future__ import annotations

from collections.abc import Iterator

from training.config import ModelConfig
from training.cost.amount import NOTHING, Amount
from training.cost.shape import FLOAT, ID, Shape
from training.cost.stage import Stage

LSTM_RESERVE, GRU_RESERVE = 6, 5
GRU_KEPT, GRU_GATES = 7, 3
GRU_NODES = 18_000
STATE_COPIES, STATE_FLOOR = 3, 70
CACHE_LINE = 64


def layers(model: ModelConfig, shape: Shape, width: int) -> Iterator[Stage]:
    """One stage a layer, for vectors of `width` that come in."""
    directions = 2 if model.bidirectional else 1
    together = model.kind == "gru" and shape.device == "cpu" and shape.item == FLOAT
    for layer in range(model.layers):
        if together:
            yield _both_at_once(model, shape, width, directions, layer)
        else:
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


def _both_at_once(model: ModelConfig, shape: Shape, width: int, directions: int, layer: int) -> Stage:
    """A GRU layer of `models.gru`, all directions in one: inputs, gates and states are kept."""
    come = shape.states(width * directions)
    states, pairs, gates = (shape.states(times * model.hidden * directions) for times in (1, 2, 3))
    order = shape.tensor(ID * shape.places) if directions == 2 and layer == 0 else NOTHING
    # Gradient, states, candidates and what is computed of them; gates and factors three wide.
    factors = states * 5 + pairs + gates * 3
    return Stage(
        f"layer {layer + 1}",
        weights=FLOAT * directions * GRU_GATES * model.hidden * (width + model.hidden + 2),
        kept=come + gates + states + order,
        forward=come * directions,
        backward=factors + max(gates, come * 2),
    )


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
    widest, gates = _leading(max(width, hidden), shape), _leading(4 * hidden, shape)
    left = item * places * (gates + hidden)
    numbers = STATE_COPIES * (widest if widest % 256 == 16 else max(width, hidden)) + STATE_FLOOR
    return shape.tensor(left), shape.tensor(FLOAT * places * numbers)


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
