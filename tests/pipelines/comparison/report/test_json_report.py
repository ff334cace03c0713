from __future__ import annotations

import json

import pytest

from pipelines.comparison.analysis import Analysis
from pipelines.comparison.levels import LEVELS
from pipelines.comparison.lists import KINDS
from pipelines.comparison.report import json_report
from pipelines.gene_models.model import Gene
from tests.pipelines.comparison.report.conftest import Make, annotated_genes


def test_the_first_call_set_is_flat_and_all_are_under_call_sets(two: Analysis) -> None:
    document = json.loads(json.dumps(json_report.to_json(two), allow_nan=False))
    assert [one["name"] for one in document["call_sets"]] == ["caller", "perfect"]
    assert document["cds"] == document["call_sets"][0]["cds"]
    assert document["sequences"] == {"a": 22_000, "b": 22_000}
    assert document["everything"]["called"] == 44_000
    assert set(LEVELS) | set(KINDS) <= set(document)


def test_levels_have_counts_figures_and_intervals(two: Analysis) -> None:
    level = json_report.to_json(two)["call_sets"][0]["cds"]
    assert (level["annotated"], level["called"], level["recovered"], level["correct"]) == (40, 32, 27, 27)
    assert level["sensitivity"] == pytest.approx(27 / 40)
    assert level["f1_interval"][0] < level["f1"] < level["f1_interval"][1]


def test_findings_and_false_genes_are_counted(two: Analysis) -> None:
    document = json_report.to_json(two)
    assert {kind: document[kind] for kind in KINDS} == {
        "fused": 1,
        "split": 1,
        "missed": 10,
        "wrong_strand": 1,
        "invented": 1,
    }
    assert document["false_genes"]["soft_masked"] == {"bases": 22_000, "number": 1, "per_megabase": 1e6 / 22_000}


def test_differences_are_paired(two: Analysis) -> None:
    (difference,) = json_report.to_json(two)["differences"]
    assert (difference["first"], difference["second"]) == ("caller", "perfect")
    assert difference["cds"]["f1"]["value"] < 0
    assert difference["cds"]["f1"]["interval"][1] < 0


def test_slices_have_figures_by_level(two: Analysis) -> None:
    document = json_report.to_json(two)
    assert [(one["name"], one["genes"]) for one in document["by_introns"]] == [("0", 30), ("1", 0), ("2", 10)]
    assert document["by_chromosome"][0]["cds"]["sensitivity"] == pytest.approx(14 / 20)
    (biotype,) = document["by_biotype"]
    assert biotype["calls"] is None
    assert set(biotype["cds"]) == {"sensitivity", "sensitivity_interval"}


def test_levels_that_are_not_defined_are_null(make_analysis: Make) -> None:
    bare = [Gene(one.gene_id, one.chromosome, one.start, one.end, one.strand) for one in annotated_genes()]
    document = json_report.to_json(make_analysis({"calls": bare, "models": annotated_genes()}))
    assert document["cds"] is None
    assert document["base"]["f1"] == 1
    assert document["call_sets"][1]["cds"]["f1"] == 1
    assert document["differences"][0]["cds"] is None
    assert [part["cds"] for part in document["by_chromosome"]] == [None, None]
    assert document["call_sets"][1]["by_chromosome"][0]["cds"]["f1"] == 1


def test_nothing_annotated_and_nothing_called_is_valid_json(make_analysis: Make) -> None:
    document = json_report.to_json(make_analysis({"calls": []}, genes=[]))
    json.dumps(document, allow_nan=False)
    assert document["cds"]["f1"] == 0
    assert document["cds"]["f1_interval"] is None
    assert document["by_length"] == []
