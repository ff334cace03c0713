from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.build import task_plan


@given(st.lists(st.integers(1, 30), max_size=40), st.integers(1, 60))
def test_runs_cover_everything_in_order_within_the_limit(sizes: list[int], limit: int) -> None:
    runs = task_plan.group_sizes(sizes, limit)
    assert [size for run in runs for size in sizes[run]] == sizes
    assert all(sum(sizes[run]) <= limit or run.stop - run.start == 1 for run in runs)


def test_a_task_never_spans_two_genomes_nor_too_many_bases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_plan, "TASK_BASES", 1000)
    rows = [
        {"genome": genome, "chromosome": chromosome, "start": start, "end": start + 50}
        for genome in "ab"
        for chromosome, count in (("1", 60), ("2", 3), ("3", 3))
        for start in range(0, count * 100, 100)
    ]
    table = pa.Table.from_pylist(rows)
    tasks = task_plan.task_rows(table)
    assert [row for task in tasks for row in rows[task]] == rows
    for task in tasks:
        piece = rows[task]
        assert len({row["genome"] for row in piece}) == 1
        for chromosome in {row["chromosome"] for row in piece}:
            of_chromosome = [row for row in piece if row["chromosome"] == chromosome]
            assert max(row["end"] for row in of_chromosome) - min(row["start"] for row in of_chromosome) <= 1000 + 50
