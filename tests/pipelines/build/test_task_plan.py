from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import schema
from pipelines.build import task_plan
from pipelines.dataset import table_files
from pipelines.dataset.table_files import TableFiles
from pipelines.stores.staging import Staging


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
    tasks = task_plan.task_rows([table])
    assert [row for task in tasks for row in rows[task]] == rows
    for task in tasks:
        piece = rows[task]
        assert len({row["genome"] for row in piece}) == 1
        for chromosome in {row["chromosome"] for row in piece}:
            of_chromosome = [row for row in piece if row["chromosome"] == chromosome]
            assert max(row["end"] for row in of_chromosome) - min(row["start"] for row in of_chromosome) <= 1000 + 50


def test_a_task_of_overlapping_intervals_has_a_bounded_number_of_bases() -> None:
    # All on one stretch of 500 bases, 40 of them on each start.
    rows = [
        {"genome": "a", "chromosome": "1", "start": start, "end": start + 100}
        for start in range(0, 400, 50)
        for _ in range(40)
    ]
    tasks = task_plan.task_rows([pa.Table.from_pylist(rows)], limit=1_000)
    assert [row for task in tasks for row in rows[task]] == rows
    assert len(tasks) > 1
    assert all(100 * (task.stop - task.start) <= 2 * 1_000 + 100 for task in tasks)


@pytest.mark.parametrize(
    ("megabases", "expected"),
    [(100, 4_000_000), (4 * 64, 4_000_000), (5 * 64, 5_000_000), (16 * 64, 16_000_000), (2_000, 16_000_000)],
)
def test_a_task_spans_a_64th_of_what_all_intervals_span_between_4_and_16_megabases(
    megabases: int, expected: int
) -> None:
    # Two chromosomes of half the bases each; what lies before the first interval does not count.
    half = megabases * 500_000
    rows = [
        {"genome": "a", "chromosome": name, "start": 7 + start, "end": 7 + end}
        for name in ("1", "2")
        for start, end in ((0, 10), (half - 10, half))
    ]
    assert task_plan.task_bases([pa.Table.from_pylist(rows)]) == expected


def test_no_intervals_give_the_smallest_tasks() -> None:
    assert task_plan.task_bases([pa.table({"genome": [], "chromosome": []})]) == task_plan.TASK_BASES


@given(st.lists(st.lists(st.integers(1, 40), max_size=5), min_size=1, max_size=4), st.integers(1, 60))
def test_tasks_read_by_reference_have_the_rows_of_the_table_in_order(lengths: list[list[int]], limit: int) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(task_plan, "TASK_BASES", limit)
        patch.setattr(task_plan, "MAX_TASK_BASES", limit)
        staging = Staging(Path(name))
        tables = [rows_of("ab"[number // 2], f"chr{number}", own) for number, own in enumerate(lengths)]
        for number, table in enumerate(tables):
            table_files.write(staging.path, str(number), table)
        files = TableFiles(staging, [str(number) for number in range(len(tables))])
        rows = sum(map(len, tables))
        splits = (np.arange(rows) % 3).astype(np.int8)
        mapper = task_plan.OnRows(lambda table: table, staging)
        tasks = task_plan.cut(files)
        read = [mapper(table) for table in task_plan.references(tasks, files, splits, first_id=7)]
        assert [len(task) for task in tasks] == [len(table) for table in read]
        assert [task.genome for task in tasks] == [table["genome"][0].as_py() for table in read]
        together = pa.concat_tables(read or [task_plan.with_ids(tables[0], 0, splits)])
        assert together["interval_id"].to_pylist() == list(range(7, 7 + rows))
        assert together["split"].to_pylist() == [schema.SPLITS[code] for code in splits]
        assert together.select(["chromosome", "start"]).equals(pa.concat_tables(tables).select(["chromosome", "start"]))


def rows_of(genome: str, chromosome: str, lengths: list[int]) -> pa.Table:
    """Intervals of these lengths side by side."""
    count = len(lengths)
    ends = np.cumsum([0, *lengths])
    columns = {"genome": [genome] * count, "chromosome": [chromosome] * count, "start": ends[:-1], "end": ends[1:]}
    columns |= {"strand": ["+"] * count, "label": [1] * count, "source": ["gene"] * count}
    columns |= {"gene_id": [None] * count, "biotype": [None] * count, "split": [""] * count}
    return pa.table({name: pa.array(columns[name], schema.INTERVALS.field(name).type) for name in columns})
