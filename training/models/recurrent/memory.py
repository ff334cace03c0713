"""Memory of LSTM and GRU layers.

On a CPU, oneDNN's LSTM keeps a workspace of gates and cell states from forward to backward. `models.gru` keeps gates
and states in float32; in half precision torch's GRU runs operation by operation at each position, and seven results are
saved. On a GPU, cuDNN and MIOpen keep a reserve of about the gates and a state or two.
"""

from __future__ import annotations

from collections.abc import Iterator

from training.config import ModelConfig
from training.cost.amount import NOTHING, Amount
from training.cost.shape import FLOAT, ID, Shape
from training.cost.stage import Stage

# States that the reserve of a GPU's library holds for each position.
LSTM_RESERVE, GRU_RESERVE = 6, 5
GRU_SAVED, GRU_GATES = 7, 3
# Heap bytes that the recorded operations of one position take.
GRU_NODES = 18_000
# Gradients of states in oneDNN's workspace: three times the wider of input and state, and 70 numbers a position. Both
# are fitted to measured peaks.
STATE_COPIES, STATE_FLOOR = 3, 70
CACHE_LINE = 64


def stages(config: ModelConfig, shape: Shape, width: int) -> Iterator[Stage]:
    """One stage a layer, for vectors of `width` that come in."""
    directions = 2 if config.bidirectional else 1
    for layer in range(config.layers):
        yield layer_stage(config, shape, width, directions, layer)
        width = config.hidden * directions


def layer_stage(config: ModelConfig, shape: Shape, width: int, directions: int, layer: int) -> Stage:
    """One layer, from 0, for vectors of `width` that come in."""
    fused = config.kind == "gru" and shape.device == "cpu" and shape.item == FLOAT
    of_kind = _fused_gru_layer if fused else _library_layer
    return of_kind(config, shape, width, directions, layer)


def _library_layer(config: ModelConfig, shape: Shape, width: int, directions: int, layer: int) -> Stage:
    """A layer that torch and its libraries compute, one direction after the other."""
    gates = 4 if config.kind == "lstm" else 3
    inputs, outputs = shape.states(width), shape.states(config.hidden)
    both = directions == 2
    order = shape.tensor(ID * shape.padded_positions) if both and layer == 0 else NOTHING
    # The input is saved, by the first layer as a time-major copy, and once more reversed for the other direction.
    saved = inputs * (int(_saves_input(config, shape, layer)) + int(both)) + order
    if config.kind == "lstm":
        workspace, extra = _lstm_workspace(width, config.hidden, shape)
        saved = saved + (outputs + workspace) * directions
        forward = shape.states(_leading(4 * config.hidden, shape))
        # The gradient that comes in, and its copy, reversed or time-major.
        gradients = 3 if both else 1 + int(shape.rows > 1)
        backward = outputs * gradients + inputs + forward + extra
    else:
        results, extra = _gru_results(config.hidden, shape)
        saved = saved + results * directions
        gathered = shape.states(GRU_GATES * config.hidden)
        forward = gathered + outputs * directions
        backward = outputs * (2 * directions - 1) + gathered + inputs + extra
    weights = FLOAT * directions * gates * config.hidden * (width + config.hidden + 2)
    return Stage(f"layer {layer + 1}", weights=weights, saved=saved, forward=forward, backward=backward)


def _fused_gru_layer(config: ModelConfig, shape: Shape, width: int, directions: int, layer: int) -> Stage:
    """A GRU layer of `models.gru`, all directions at once: inputs, gates and states are saved."""
    inputs = shape.states(width * directions)
    states, pairs, gates = (shape.states(times * config.hidden * directions) for times in (1, 2, 3))
    order = shape.tensor(ID * shape.padded_positions) if directions == 2 and layer == 0 else NOTHING
    # Gradient, states, candidates and what is computed of them; gates and factors are three wide.
    factors = states * 5 + pairs + gates * 3
    return Stage(
        f"layer {layer + 1}",
        weights=FLOAT * directions * GRU_GATES * config.hidden * (width + config.hidden + 2),
        saved=inputs + gates + states + order,
        forward=inputs * directions,
        backward=factors + max(gates, inputs * 2),
    )


def _saves_input(config: ModelConfig, shape: Shape, layer: int) -> bool:
    """Whether a layer saves its input, and no layer before it does already."""
    if layer == 0:
        return shape.rows > 1 or bool(config.stem)
    return config.kind == "gru" or config.bidirectional


def _lstm_workspace(width: int, hidden: int, shape: Shape) -> tuple[Amount, Amount]:
    """What an LSTM's forward pass keeps for one direction, and what its backward pass needs in addition.

    oneDNN lays out gates, states and gradients of states as one piece, of which only the backward pass touches the
    last.
    """
    if shape.device == "cuda":
        return shape.states(LSTM_RESERVE * hidden), NOTHING
    item, positions = shape.item, shape.padded_positions
    widest, gates = _leading(max(width, hidden), shape), _leading(4 * hidden, shape)
    workspace = item * positions * (gates + hidden)
    numbers = STATE_COPIES * (widest if widest % 256 == 16 else max(width, hidden)) + STATE_FLOOR
    return shape.tensor(workspace), shape.tensor(FLOAT * positions * numbers)


def _gru_results(hidden: int, shape: Shape) -> tuple[Amount, Amount]:
    """What a GRU's forward pass saves for one direction, and what its backward pass adds before it is gathered.

    Gradients of gates are three times as long as the results that are freed meanwhile, and do not fit their gaps.
    """
    if shape.device == "cuda":
        return shape.states(GRU_RESERVE * hidden), NOTHING
    results = _step_tensors(GRU_SAVED, hidden, shape) + Amount(heap=GRU_NODES * shape.positions)
    return results, _step_tensors(GRU_GATES, hidden, shape)


def _step_tensors(count: int, hidden: int, shape: Shape) -> Amount:
    """So many states at every position, each a tensor of its own."""
    return shape.tensor(shape.item * shape.rows * hidden) * (count * shape.positions)


def _leading(numbers: int, shape: Shape) -> int:
    """Length of a row of oneDNN's workspace: whole cache lines, but no multiple of 256 numbers."""
    line = CACHE_LINE // shape.item
    length = -(-numbers // line) * line
    return length + line if length % 256 == 0 and shape.device == "cpu" else length
