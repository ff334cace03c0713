from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from tuning.results import tables
from tuning.trial import Trial


def trial(number: int, **parameters: object) -> Trial:
    values = {f"model.{key}": value for key, value in parameters.items()}
    return Trial(number, number, str(number), 0, values, "finished", validation_auroc=0.7, train_auroc=0.75)


def test_a_table_has_a_typed_column_for_each_searched_key() -> None:
    table = tables.table([trial(1, hidden=8, dropout=0), trial(2, hidden=16, dropout=0.5, kind="gru")])
    assert table["model.hidden"].type == pa.int64()
    assert table["model.dropout"].type == pa.float64()
    assert table["model.kind"].to_pylist() == [None, "gru"]
    assert len(tables.table([])) == 0


def test_mixed_and_nested_values_become_text() -> None:
    table = tables.table([trial(1, match=["length"], mixed=1), trial(2, match=["length", "gc"], mixed="a")])
    assert table["model.match"].to_pylist() == ['["length"]', '["length","gc"]']
    assert table["model.mixed"].to_pylist() == ["1", "a"]


def test_both_files_have_the_columns_that_readers_know(tmp_path: Path) -> None:
    tables.write([trial(1, hidden=8)], tmp_path)
    names = pq.read_table(tmp_path / "trials.parquet").column_names
    assert names == pyarrow.csv.read_csv(tmp_path / "trials.csv").column_names
    assert names == [
        "number",
        "configuration",
        "seed",
        "state",
        "reason",
        "model.hidden",
        "validation_auroc",
        "validation_mcc",
        "train_auroc",
        "train_mcc",
        "gap_auroc",
        "gap_mcc",
        "weights",
        "memory_predicted",
        "memory_measured",
        "memory_room",
        "epochs",
        "best_epoch",
        "seconds",
        "ended",
        "cpus",
        "gpus",
        "token_budget",
        "dataset",
        "fingerprint",
        "key",
        "began_at",
        "ended_at",
    ]
