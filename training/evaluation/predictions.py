"""The probability of every row of the split, so that others can compute every figure themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import storage
from pipelines.errors import UsageError
from pipelines.genome.bed import WITHOUT_CONTROLS
from training.evaluation.classes.evaluate import ClassEvaluation
from training.evaluation.recognition.evaluate import Evaluation

ENDINGS = (".tsv", ".parquet")
ROWS_AT_ONCE = 1 << 14
_COLUMNS = ("interval_id", "genome", "chromosome", "start", "end", "strand", "label", "source")


def require_ending(path: Path) -> None:
    """Refuse a file of another format.

    Raises:
        UsageError: the ending is none of `ENDINGS`.
    """
    if path.suffix not in ENDINGS:
        raise UsageError(f"--predictions {path}: ends in neither .tsv nor .parquet", "name a file that does")


def write(evaluation: Evaluation, path: Path) -> None:
    """Write the rows in the dataset's order, whole or not at all: TSV with a header, or Parquet, by the ending.

    Columns: interval_id, genome, chromosome, start, end, strand, label, source and `probability`, or
    `probability:NAME` for each of several models. Probabilities have all their digits: read back, they are the same
    numbers.

    Raises:
        UsageError: the ending is none of `ENDINGS`.
        ResourceError: the file cannot be written.
    """
    require_ending(path)
    table = evaluation.dataset.table.select(_COLUMNS)
    for model in evaluation.models:
        name = "probability" if len(evaluation.models) == 1 else f"probability:{model.name}"
        table = table.append_column(name, pa.array(model.probabilities))
    _write(table, path)


def write_classes(evaluation: ClassEvaluation, path: Path) -> None:
    """Write the rows of an evaluation of classes, as `write`.

    Columns: interval_id, genome, chromosome, start, end, strand, name, class, and for each model `called` and
    `probability:CLASS` of every class; with several models `called:NAME` and `probability:NAME:CLASS`.

    Raises:
        UsageError: the ending is none of `ENDINGS`.
        ResourceError: the file cannot be written.
    """
    require_ending(path)
    dataset, names = evaluation.dataset, np.array(evaluation.classes, dtype=object)
    table = dataset.table.select(_COLUMNS[: _COLUMNS.index("label")]).append_column("name", dataset.table["gene_id"])
    table = table.append_column("class", pa.array(names[dataset.labels], pa.string()))
    for model in evaluation.models:
        of = f"{model.name}:" if len(evaluation.models) > 1 else ""
        table = table.append_column(f"called:{of}".rstrip(":"), pa.array(names[model.called], pa.string()))
        for number, name in enumerate(evaluation.classes):
            column = pa.array(np.ascontiguousarray(model.probabilities[:, number]))
            table = table.append_column(f"probability:{of}{name}", column)
    _write(table, path)


def _write(table: pa.Table, path: Path) -> None:
    with storage.replacing(path) as temporary:
        if path.suffix == ".parquet":
            pq.write_table(table, temporary, compression="zstd")
            return
        with temporary.open("w", encoding="utf-8", newline="\n") as stream:
            stream.write("\t".join(name.translate(WITHOUT_CONTROLS) for name in table.column_names) + "\n")
            for batch in table.to_batches(ROWS_AT_ONCE):
                for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    stream.write("\t".join(str(cell).translate(WITHOUT_CONTROLS) for cell in row) + "\n")
