from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines.errors import ResourceError
from pipelines.genome import bed_reader
from training.evaluation.recognition import Evaluation, ModelEvaluation, mistakes


@pytest.fixture
def model(evaluated: Evaluation) -> ModelEvaluation:
    """The model with a threshold at which it makes mistakes of both kinds."""
    (model,) = evaluated.models
    return replace(model, threshold=float(np.median(model.probabilities)))


def test_mistakes_are_those_of_a_plain_loop_most_confident_first(evaluated: Evaluation, model: ModelEvaluation) -> None:
    expected: dict[str, list[tuple[float, int]]] = {"FP": [], "FN": []}
    for number, (label, probability) in enumerate(zip(evaluated.dataset.labels, model.probabilities, strict=True)):
        if label == 0 and probability >= model.threshold:
            expected["FP"].append((-probability, number))
        if label == 1 and probability < model.threshold:
            expected["FN"].append((probability, number))
    for kind, rows in expected.items():
        assert rows
        assert mistakes.mistake_rows(evaluated.dataset, model, kind).tolist() == [number for _, number in sorted(rows)]
    assert mistakes.count(evaluated.dataset, model) == {
        "false_positives": len(expected["FP"]),
        "false_negatives": len(expected["FN"]),
    }


def test_a_probability_at_the_threshold_is_called_a_gene(evaluated: Evaluation) -> None:
    level = replace(evaluated.models[0], probabilities=np.full(len(evaluated.dataset), 0.5), threshold=0.5)
    assert mistakes.count(evaluated.dataset, level) == {
        "false_positives": int((evaluated.dataset.labels == 0).sum()),
        "false_negatives": 0,
    }


def test_a_mistake_has_its_position_and_its_kind(evaluated: Evaluation, model: ModelEvaluation) -> None:
    assert 0 not in mistakes.count(evaluated.dataset, model).values()
    for kind in ("FP", "FN"):
        rows = mistakes.mistake_rows(evaluated.dataset, model, kind)[:3]
        for row, mistake in zip(rows, mistakes.most_confident(evaluated.dataset, model, kind, 3), strict=True):
            assert mistake.kind == kind
            expected = evaluated.dataset.table.slice(int(row), 1).to_pylist()[0]
            assert (
                mistake.position
                == f"{expected['genome']}:{expected['chromosome']}:{expected['start']}-{expected['end']}"
            )
            assert (mistake.gene_id, mistake.biotype, mistake.source) == (
                expected["gene_id"],
                expected["biotype"],
                expected["source"],
            )
            assert mistake.probability == model.probabilities[row]


def test_bed_is_sorted_nine_columns_and_a_file_for_each_genome(
    evaluated: Evaluation, model: ModelEvaluation, tmp_path: Path
) -> None:
    files = mistakes.write(replace(evaluated, models=[model]), tmp_path / "mistakes.bed")
    assert [file.name for file in files] == ["mistakes.<other>.bed", "mistakes.toy.bed"]
    total = 0
    for file in files:
        lines = file.read_text().splitlines()
        assert lines[0].startswith('track name="mistakes" description="model, test, ')
        rows = [columns for _, columns in bed_reader.rows(file)]
        assert len(rows) == len(lines) - 1
        positions = [(row[0], int(row[1]), int(row[2])) for row in rows]
        assert positions == sorted(positions)
        for row in rows:
            assert len(row) == 9
            assert (row[6], row[7]) == (row[1], row[2])
            assert row[8] == mistakes.COLOURS[row[3][:2]]
            assert " " not in row[3]
            assert 0 <= int(row[4]) <= 1000
        total += len(rows)
        sorted_by_bedtools = subprocess.run(
            ["bedtools", "sort", "-i", file], capture_output=True, text=True, check=True
        )
        assert len(sorted_by_bedtools.stdout.splitlines()) >= len(rows)
    assert total == sum(mistakes.count(evaluated.dataset, model).values())


def test_one_genome_gives_one_file_of_the_requested_name(evaluated: Evaluation, tmp_path: Path) -> None:
    table = evaluated.dataset.table
    column = table.column_names.index("genome")
    one_genome = replace(evaluated.dataset, table=table.set_column(column, "genome", pa.array(["toy"] * len(table))))
    assert mistakes.write(replace(evaluated, dataset=one_genome), tmp_path / "m.bed") == [tmp_path / "m.bed"]


def test_without_a_mistake_the_file_has_its_header_only(evaluated: Evaluation, tmp_path: Path) -> None:
    perfect = [replace(evaluated.models[0], probabilities=evaluated.dataset.labels.astype(np.float64))]
    for file in mistakes.write(replace(evaluated, models=perfect), tmp_path / "m.bed"):
        assert len(file.read_text().splitlines()) == 1


def test_a_file_that_cannot_be_written_is_an_error_that_names_it(evaluated: Evaluation, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match=r"m\..*bed"):
        mistakes.write(evaluated, tmp_path / "file" / "m.bed")


def test_the_file_does_not_depend_on_how_many_mistakes_are_in_memory(
    evaluated: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = mistakes.write(evaluated, tmp_path / "mistakes.bed")
    monkeypatch.setattr(mistakes, "ROWS_AT_ONCE", 2)
    others = mistakes.write(evaluated, tmp_path / "few.bed")
    assert [file.read_bytes() for file in files] == [file.read_bytes() for file in others]
