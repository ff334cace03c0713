from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipelines.structure import states
from pipelines.tokens import centred
from pipelines.tokens.tokenizer import Tokenizer
from pipelines.tokens.vocabulary import PAD
from tests.hypothesis_profiles import examples
from tests.training.structure.synthetic import TOKENIZER, batch, windows
from training.structure.batch import BOTH_MASKED, collate
from training.structure.windows import Windows

STRETCHES = [[30, 30, 17], [30], [30, 5]]
NO_SHIFT, NOT_TURNED = np.zeros(6, np.int64), np.zeros(6, bool)


def test_a_window_of_no_shift_holds_the_tokens_and_states_of_its_row() -> None:
    source = windows(STRETCHES)
    gathered = collate(source, np.array([2, 4]), NO_SHIFT[:2], NOT_TURNED[:2])
    rows = [slice(source.offsets[row], source.offsets[row + 1]) for row in (2, 4)]
    assert gathered.tokens.tolist() == [token for row in rows for token in source.tokens[row].tolist()]
    assert gathered.states.tolist() == [state for row in rows for state in source.states[row].tolist()]
    assert gathered.counts.tolist() == [17, 30]
    assert gathered.labels.tolist() == [0.0, 0.0]


@examples(50)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-40, 40), st.booleans()), min_size=1, max_size=8))
def test_a_shifted_window_stays_within_its_stretch_and_is_turned_base_by_base(
    drawn: list[tuple[int, int, bool]],
) -> None:
    source = windows(STRETCHES)
    rows, shifts, turned = (np.array(column) for column in zip(*drawn, strict=True))
    gathered = collate(source, rows, shifts, turned)
    first = 0
    for row, shift, is_turned in drawn:
        length = int(np.diff(source.offsets)[row])
        low, high = source.stretches[row]
        start = min(max(int(source.offsets[row]) + shift, low), high - length)
        bases = range(start, start + length)
        for place, base in enumerate(reversed(bases) if is_turned else bases):
            forward, reverse = (int(part[0]) for part in states.unpack(source.states[base : base + 1]))
            token = int(source.tokens[base])
            if is_turned:
                forward, reverse, token = reverse, forward, int(TOKENIZER.reverse_complements[token])
            assert gathered.tokens[first + place] == token
            assert gathered.states[first + place] == forward | reverse << 4
        first += length


def test_turning_the_tokens_of_a_sequence_gives_those_of_its_reverse_complement() -> None:
    for k in (1, 3, 5):
        tokenizer = Tokenizer(k, 1, "anchor")
        codes = np.random.default_rng(k).integers(0, 5, 200).astype(np.uint8)
        tokens = centred.encode(tokenizer, codes)
        empty = np.zeros(200, np.uint8)
        source = Windows(
            tokens, empty, np.array([0, 200]), np.array([[0, 200]]), np.zeros(1), tokenizer.reverse_complements
        )
        turned = collate(source, np.array([0]), np.array([0]), np.array([True]))
        complement = np.array([3, 2, 1, 0, 4], np.uint8)
        expected = centred.encode(tokenizer, complement[codes[::-1]])
        assert turned.tokens.tolist() == expected.tolist()


def test_a_padded_batch_is_masked_after_the_end_of_each_window() -> None:
    rows = batch([5, 9])
    assert rows.padded_states()[0, 5:].tolist() == [BOTH_MASKED] * 4
    assert rows.padded()[0, 5:].tolist() == [PAD] * 4
    assert rows.padded_states()[1].tolist() == rows.states[5:].tolist()


def test_a_batch_on_a_device_keeps_its_states() -> None:
    rows = batch([5, 9])
    assert torch.equal(rows.to(torch.device("cpu")).states, rows.states)
