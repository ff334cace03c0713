from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import fingerprint, schema
from pipelines.dataset import columns, split_cache
from pipelines.dataset.parts import Part
from pipelines.dataset.row_checks import checked_row_groups
from pipelines.errors import DatasetError
from tests.pipelines.dataset import small_dataset

SIZE = small_dataset.TOKENIZER.vocabulary_size


def written(folder: Path, change: Callable[[pa.Table], pa.Table] = lambda rows: rows) -> Part:
    """A file of rows as a dataset has them, then changed."""
    rows = small_dataset.rows_of("train", 12).select(schema.rows(pa.uint16()).names)
    path = folder / "part-00000.parquet"
    pq.write_table(change(rows), path, row_group_size=5)
    return Part(path, fingerprint.of_file(path))


def with_column(name: str, make: Callable[[list[object]], list[object]], kind: pa.DataType | None = None) -> object:
    def change(rows: pa.Table) -> pa.Table:
        values = make(rows[name].to_pylist())
        return rows.set_column(
            rows.column_names.index(name), name, pa.array(values, kind or rows.schema.field(name).type)
        )

    return change


def last_changed(value: object) -> Callable[[list[object]], list[object]]:
    return lambda values: [*values[:-1], value]


def test_rows_that_are_right_pass(tmp_path: Path) -> None:
    part = written(tmp_path)
    assert sum(len(group) for group in checked_row_groups(part, SIZE)) == 12


def test_whole_numbers_of_another_width_pass(tmp_path: Path) -> None:
    part = written(tmp_path, with_column("label", list, pa.int64()))
    assert sum(len(group) for group in checked_row_groups(part, SIZE)) == 12


CASES = {
    "an id beyond the vocabulary": (
        with_column("tokens", lambda rows: [*rows[:-1], [SIZE] * len(rows[-1])]),
        f"token id {SIZE} is not one of the vocabulary's {SIZE}",
    ),
    "a row without tokens": (
        lambda rows: with_column("token_count", last_changed(0))(with_column("tokens", last_changed([]))(rows)),
        "a row without tokens",
    ),
    "a count that is too small": (with_column("token_count", last_changed(1)), "token_count does not match the tokens"),
    "a negative count": (with_column("token_count", last_changed(-1)), "token_count does not match the tokens"),
    "no count": (with_column("token_count", last_changed(None)), "column token_count has rows without a value"),
    "no tokens": (
        lambda rows: with_column("token_count", last_changed(1))(with_column("tokens", last_changed(None))(rows)),
        "column tokens has rows without a value",
    ),
    "a token that is null": (
        lambda rows: with_column("token_count", last_changed(2))(with_column("tokens", last_changed([3, None]))(rows)),
        "a token without an id",
    ),
    "a label of 2": (with_column("label", last_changed(2)), "a label that is not 0 or 1"),
    "a negative label": (with_column("label", last_changed(-1)), "a label that is not 0 or 1"),
    "no label": (with_column("label", last_changed(None)), "column label has rows without a value"),
    "no start": (with_column("start", last_changed(None)), "column start has rows without a value"),
    "no chromosome": (with_column("chromosome", last_changed(None)), "column chromosome has rows without a value"),
    "a negative start": (with_column("start", last_changed(-5)), "an interval that does not end after its start"),
    "an end before the start": (with_column("end", last_changed(1)), "an interval that does not end after its start"),
    "a column less": (lambda rows: rows.drop_columns(["gc"]), "column gc is missing"),
    "no column of tokens": (lambda rows: rows.drop_columns(["tokens"]), "no column tokens of lists"),
    "tokens as text": (with_column("tokens", lambda rows: ["x"] * len(rows), pa.string()), "no column tokens of lists"),
    "signed tokens": (with_column("tokens", list, pa.list_(pa.int64())), "no column tokens of lists"),
    "labels as text": (with_column("label", lambda rows: ["1"] * len(rows), pa.string()), "column label is string"),
    "shares as text": (with_column("gc", lambda rows: ["1"] * len(rows), pa.string()), "column gc is string"),
    "no rows": (lambda rows: rows.slice(0, 0), "no rows"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("with_cache", [True, False])
def test_rows_that_build_does_not_write_are_refused_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, with_cache: bool
) -> None:
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "cache"))
    change, problem = CASES[case]
    part = written(tmp_path, change)
    with pytest.raises(DatasetError) as caught:
        split_cache.open_columns("d", [part], "train", SIZE) if with_cache else columns.read_columns(
            [part], "train", SIZE
        )
    assert f"part-00000.parquet: {problem}" in str(caught.value)
    assert list(tmp_path.rglob("*.arrow")) == []


def test_text_that_is_not_unicode_is_refused(tmp_path: Path) -> None:
    broken = pa.array([b"\xff\xfe"] * 12, pa.binary()).cast(pa.string(), safe=False)
    part = written(tmp_path, lambda rows: rows.set_column(1, "genome", broken.view(pa.string())))
    with pytest.raises(DatasetError, match=r"part-00000\.parquet: cannot be read"):
        list(checked_row_groups(part, SIZE))


def test_other_numbers_of_rows_and_tokens_than_the_manifests_are_refused(tmp_path: Path) -> None:
    part = written(tmp_path)
    for rows, tokens, problem in (
        (11, None, "12 rows, not the manifest's 11"),
        (12, 5, "tokens, not the manifest's 5"),
    ):
        with pytest.raises(DatasetError, match=problem):
            list(checked_row_groups(Part(part.path, part.sha256, rows, tokens), SIZE))


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_byte_is_refused_even_where_no_hash_is_known(tmp_path: Path, seed: int) -> None:
    generator = np.random.default_rng(seed)
    part = written(tmp_path)
    content = bytearray(part.path.read_bytes())
    for _ in range(8):
        content[int(generator.integers(len(content)))] ^= int(generator.integers(1, 256))
    part.path.write_bytes(content[: int(generator.integers(1, len(content) + 1))])
    try:
        list(checked_row_groups(Part(part.path, ""), SIZE))
    except DatasetError as error:
        assert "part-00000.parquet" in str(error)  # noqa: PT017
    with pytest.raises(DatasetError, match="is not the manifest's"):
        columns.read_columns([part], "train", SIZE)


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    part = written(tmp_path)
    with pytest.raises(DatasetError, match="changed while it was read"), part.verified():
        part.path.write_bytes(part.path.read_bytes())
