"""The page, the JSON and the predictions of an evaluation of classes."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines.errors import UsageError
from tests.training.evaluation.recognition.test_page import Tags
from training.evaluation import predictions
from training.evaluation.classes import json_report, page
from training.evaluation.classes.evaluate import ClassEvaluation


def test_the_page_is_one_file_with_curves_of_every_model(evaluated_classes: ClassEvaluation) -> None:
    text = page.build_page(evaluated_classes).html()
    parser = Tags()
    parser.feed(text)
    panels = [f"figure-{name}{end}" for end in ("", "-2") for name in ("roc", "precision-recall", "confusion")]
    assert [name for name in parser.ids if name.startswith("figure-")] == panels
    assert not [link for link in parser.links if not link.startswith("#")]
    assert "script" not in parser.tags
    assert "<trained>" not in text
    assert "30 sequences of 3 classes" in text


def test_the_json_has_figures_of_all_classes_and_of_each(evaluated_classes: ClassEvaluation) -> None:
    document = json.loads(json.dumps(json_report.to_json(evaluated_classes), allow_nan=False))
    assert {"auroc", "auprc", "mcc", "macro_f1", "accuracy", "intervals", "confusion", "regression"} <= set(document)
    assert document["classes"] == [one["name"] for one in document["by_class"]] == ["10", "exon", "intron"]
    assert sum(map(sum, document["confusion"])) == document["rows"] == 30
    assert [one["first"] for one in document["differences"]] == ["<trained>", "drawn", "<trained>"]
    assert document["rules"]["prior"]["auroc"] == 0.5


def test_predictions_have_the_class_and_a_probability_of_each(
    evaluated_classes: ClassEvaluation, tmp_path: Path
) -> None:
    predictions.write_classes(evaluated_classes, tmp_path / "p.parquet")
    table = pq.read_table(tmp_path / "p.parquet")
    assert table.column_names[6:10] == ["name", "class", "called:<trained>", "probability:<trained>:10"]
    model = evaluated_classes.models[0]
    assert table["probability:<trained>:exon"].to_pylist() == model.probabilities[:, 1].tolist()
    names = evaluated_classes.classes
    assert table["called:<trained>"].to_pylist() == [names[number] for number in model.called]
    with pytest.raises(UsageError, match="ends in neither"):
        predictions.write_classes(evaluated_classes, tmp_path / "p.csv")
