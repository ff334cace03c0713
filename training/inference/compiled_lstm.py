"""An LSTM over rows that share positions, as compiled code for CPUs: gates of positions, then each row's own steps.

A position that several rows read is convolved and projected once. What a row's states add up to is kept, and the states
themselves are not. Every number depends on its own row alone, whatever is computed with it.

Gates are in PyTorch's order: input, forget, cell, output. Sigmoids are computed as hyperbolic tangents, so that weights
of three gates come halved, which is exact.
"""

from __future__ import annotations

import numpy as np

from training.compiled import vectorised, vectorised_part

_BLOCK = 8
"""Inputs that are multiplied in one pass over the outputs."""
_HALF = np.float32(0.5)
_FLAT_FROM = np.float32(7.90531110763549805)


@vectorised_part
def tanh(x):  # type: ignore[no-untyped-call,no-untyped-def]
    """Hyperbolic tangent in float32 to some units of the last place, as a rational function (that of Eigen 3.3)."""
    x = min(max(x, -_FLAT_FROM), _FLAT_FROM)
    y = x * x
    above = y * np.float32(-2.76076847742355e-16) + np.float32(2.00018790482477e-13)
    above = y * above + np.float32(-8.60467152213735e-11)
    above = y * above + np.float32(5.12229709037114e-08)
    above = y * above + np.float32(1.48572235717979e-05)
    above = y * above + np.float32(6.37261928875436e-04)
    above = y * above + np.float32(4.89352455891786e-03)
    below = y * np.float32(1.19825839466702e-06) + np.float32(1.18534705686654e-04)
    below = y * below + np.float32(2.26843463243900e-03)
    below = y * below + np.float32(4.89352518554385e-03)
    return x * above / below


@vectorised_part
def add_product(out, vector, weights):  # type: ignore[no-untyped-call,no-untyped-def]
    """Add the product of a vector, shape (inputs,), and weights, shape (inputs, outputs), to `out`."""
    whole = len(vector) // _BLOCK * _BLOCK
    for first in range(0, whole, _BLOCK):
        v0, v1, v2, v3 = vector[first], vector[first + 1], vector[first + 2], vector[first + 3]
        v4, v5, v6, v7 = vector[first + 4], vector[first + 5], vector[first + 6], vector[first + 7]
        w0, w1, w2, w3 = weights[first], weights[first + 1], weights[first + 2], weights[first + 3]
        w4, w5, w6, w7 = weights[first + 4], weights[first + 5], weights[first + 6], weights[first + 7]
        for place in range(len(out)):
            out[place] += (
                v0 * w0[place] + v1 * w1[place] + v2 * w2[place] + v3 * w3[place]
                + v4 * w4[place] + v5 * w5[place] + v6 * w6[place] + v7 * w7[place]
            )  # fmt: skip
    for first in range(whole, len(vector)):
        for place in range(len(out)):
            out[place] += vector[first] * weights[first, place]


@vectorised
def gates_of_positions(tokens, centres, firsts, lasts, products, bias, weights, gate_bias, out):  # type: ignore[no-untyped-call,no-untyped-def]
    """What positions add to the gates of every direction: a convolution over tokens, a rectifier and a product.

    Args:
        tokens: ids, shape (tokens,).
        centres: the token in the middle of each position's kernel, shape (positions,).
        firsts, lasts: the tokens [first, last) that a position may read, shape (positions,).
        products: what a token adds to a position, by its place in the kernel, shape (kernel, ids, channels).
        bias: of the convolution, shape (channels,).
        weights: of the gates, shape (channels, directions x gates).
        gate_bias: shape (directions x gates,).
        out: gets the gates, shape (positions, directions x gates).
    """
    kernel = len(products)
    vector = np.empty(len(bias), np.float32)
    for position in range(len(centres)):
        for place in range(len(bias)):
            vector[place] = bias[place]
        start = centres[position] - kernel // 2
        begin, end = max(firsts[position] - start, 0), min(lasts[position] - start, kernel)
        for offset in range(begin, end):
            added = products[offset, tokens[start + offset]]
            for place in range(len(vector)):
                vector[place] += added[place]
        for place in range(len(vector)):
            vector[place] = max(vector[place], np.float32(0))
        gates = out[position]
        for place in range(len(gates)):
            gates[place] = gate_bias[place]
        add_product(gates, vector, weights)


@vectorised
def read(gates, index, frames, weights, sums, highest):  # type: ignore[no-untyped-call,no-untyped-def]
    """Read rows of positions as interleaved frames, each from states of zero.

    Args:
        gates: of positions, shape (positions, directions, 4 x hidden); direction 1 reads from the end.
        index: the positions of each row in order, shape (rows, positions of a row).
        frames: as how many sequences a row is read: the first takes positions 0, frames, 2 x frames ….
        weights: of the state before, shape (directions, hidden, 4 x hidden).
        sums, highest: get the sum and the maximum of the states, shape (rows, frames, directions, hidden).
    """
    rows, length = index.shape
    directions, hidden = weights.shape[:2]
    total, state, cell = np.empty(4 * hidden, np.float32), np.empty(hidden, np.float32), np.empty(hidden, np.float32)
    for row in range(rows):
        for direction in range(directions):
            recurrent = weights[direction]
            for frame in range(frames):
                summed, most = sums[row, frame, direction], highest[row, frame, direction]
                for unit in range(hidden):
                    state[unit] = cell[unit] = summed[unit] = 0
                    most[unit] = -np.inf
                steps = (length - frame - 1) // frames + 1
                for step in range(steps):
                    position = frame + frames * (steps - 1 - step if direction else step)
                    entering = gates[index[row, position], direction]
                    for place in range(4 * hidden):
                        total[place] = entering[place]
                    add_product(total, state, recurrent)
                    for unit in range(hidden):
                        enters = tanh(total[unit]) * _HALF + _HALF
                        stays = tanh(total[hidden + unit]) * _HALF + _HALF
                        leaves = tanh(total[3 * hidden + unit]) * _HALF + _HALF
                        cell[unit] = stays * cell[unit] + enters * tanh(total[2 * hidden + unit])
                        state[unit] = leaves * tanh(cell[unit])
                        summed[unit] += state[unit]
                        most[unit] = max(most[unit], state[unit])
