from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from training.annotate import tiles
from training.annotate.tiles import Tiling


@st.composite
def tilings(draw: st.DrawFn) -> Tiling:
    return Tiling.of(draw(st.integers(1, 400)), draw(st.sampled_from([1, 3, 9])))


@given(tiling=tilings(), length=st.integers(1, 3000))
def test_every_base_counts_in_one_tile_and_is_read_by_it(tiling: Tiling, length: int) -> None:
    counted = [tiling.counted(length, tile) for tile in range(tiling.tiles(length))]
    assert [base for span in counted for base in range(*span)] == list(range(length))
    for tile, (start, end) in enumerate(counted):
        first, last = tiling.read(length, tile)
        assert 0 <= first <= start < end <= last <= length
        assert first % tiling.stride == 0


@given(tiling=tilings(), length=st.integers(1, 3000))
def test_tiles_are_no_longer_than_windows_of_training_and_have_their_context(tiling: Tiling, length: int) -> None:
    for tile in range(tiling.tiles(length)):
        first, last = tiling.read(length, tile)
        start, end = tiling.counted(length, tile)
        assert last - first <= tiling.window
        assert start == 0 or start - first >= tiling.context
        assert end == length or last - end >= tiling.context


def test_a_sequence_up_to_the_length_of_a_tile_is_one_tile() -> None:
    tiling = Tiling.of(9999, 9)
    assert [tiling.tiles(length) for length in (1, 9999, 10_000)] == [1, 1, 2]
    assert tiling.read(9999, 0) == tiling.counted(9999, 0) == (0, 9999)


def test_a_base_is_read_one_and_a_fifth_times() -> None:
    for window in (4995, 9999, 19_998):
        tiling = Tiling.of(window, 9)
        read = sum(last - first for first, last in (tiling.read(10**7, tile) for tile in range(tiling.tiles(10**7))))
        assert 1.19 < read / 10**7 < 1.21


@given(
    lengths=st.dictionaries(st.text("ab", min_size=1), st.integers(0, 20_000), min_size=1), window=st.integers(9, 99)
)
def test_tasks_hold_every_base_of_a_genome_once_in_the_order_of_its_file(lengths: dict[str, int], window: int) -> None:
    tiling = Tiling.of(window, 3)
    tasks = tiles.plan_tasks(lengths, tiling)
    covered: dict[str, list[tuple[int, int]]] = {}
    for task in tasks:
        assert len(task) == 1 or sum(piece.bases(tiling) for piece in task) <= tiles.TASK_BASES
        for piece in task:
            covered.setdefault(piece.chromosome, []).append(piece.counted(tiling))
    assert list(covered) == [name for name, length in lengths.items() if length]
    for name, spans in covered.items():
        assert [spans[0][0], *(end for _, end in spans)] == [*(start for start, _ in spans), lengths[name]]


def test_long_sequences_are_cut_into_tasks() -> None:
    tiling = Tiling.of(9999, 9)
    tasks = tiles.plan_tasks({"a": 3_000_000}, tiling)
    assert len(tasks) == 6
    assert all(piece.bases(tiling) <= tiles.TASK_BASES + tiling.window for task in tasks for piece in task)
