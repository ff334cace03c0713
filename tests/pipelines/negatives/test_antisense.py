from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.negatives import antisense

LENGTH = 60


@st.composite
def stranded(draw: st.DrawFn, strands: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    rows = draw(
        st.lists(st.tuples(st.integers(0, LENGTH - 1), st.integers(1, 30), st.sampled_from(strands)), max_size=6)
    )
    bounds = np.array([(start, min(start + size, LENGTH)) for start, size, _ in rows], np.int64).reshape(-1, 2)
    return bounds, np.array([strand for *_, strand in rows], np.int8)


@given(stranded((1, -1)), stranded((1, -1, 0)))
def test_a_clear_stretch_is_the_longest_run_of_bases_that_the_other_strand_leaves(
    genes: tuple[np.ndarray, np.ndarray], features: tuple[np.ndarray, np.ndarray]
) -> None:
    clear = antisense.longest_clear_stretches(*genes, *features)
    for (start, end), strand, (first, last) in zip(genes[0].tolist(), genes[1], clear.tolist(), strict=True):
        covered = np.zeros(LENGTH, bool)
        for (low, high), other in zip(*features, strict=True):
            if other in {-strand, 0}:
                covered[low:high] = True
        assert start <= first <= last <= end
        assert not covered[first:last].any()
        runs = "".join(" " if taken else "x" for taken in covered[start:end]).split()
        assert last - first == max(map(len, runs), default=0)
