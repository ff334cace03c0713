import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.structure import states

STRAND = st.lists(st.integers(0, states.MASKED), min_size=1, max_size=30)


@given(STRAND, st.randoms(use_true_random=False))
def test_two_strands_come_back_out_of_one_byte(forward: list[int], random) -> None:
    reverse = [random.randint(0, states.MASKED) for _ in forward]
    packed = states.pack(np.array(forward, np.uint8), np.array(reverse, np.uint8))
    unpacked = states.unpack(packed)
    assert packed.dtype == np.uint8
    assert [strand.tolist() for strand in unpacked] == [forward, reverse]


@given(STRAND)
def test_the_reverse_complement_reads_the_other_strand_backwards(forward: list[int]) -> None:
    reverse = np.zeros(len(forward), np.uint8)
    turned = states.reverse_complement(states.pack(np.array(forward, np.uint8), reverse))
    assert states.unpack(turned)[0].tolist() == reverse.tolist()
    assert states.unpack(turned)[1].tolist() == forward[::-1]


@pytest.mark.parametrize(("names", "count"), [(states.NAMES[:-1], states.STATES), (states.SITE_NAMES, states.SITES)])
def test_every_state_and_site_has_a_name(names: tuple[str, ...], count: int) -> None:
    assert len(names) == count
