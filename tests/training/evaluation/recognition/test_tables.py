from __future__ import annotations

import numpy as np
import pytest

from cluster.screen.terminal import Terminal
from training.evaluation.recognition import Evaluation, tables


def test_the_model_comes_first_and_the_rules_after_it_best_first(evaluated: Evaluation) -> None:
    rows = tables.main(evaluated).rows
    assert rows[0][0] == "model"
    figures = [rule.metrics["auroc"] for rule in evaluated.rules]
    assert [row[1] for row in rows[1:]] == figures == sorted(figures, reverse=True)
    assert rows[1][0] == "rule: share of G and C"


def test_models_side_by_side_share_the_table_with_the_rules(side_by_side: Evaluation) -> None:
    names = [row[0] for row in tables.main(side_by_side).rows]
    assert names[:3] == ["first", "second", "rule: share of G and C"]
    assert tables.intervals(side_by_side).rows[-1][0] == "best rule"


def test_the_share_called_genes_is_shown_for_every_source(evaluated: Evaluation) -> None:
    kinds = np.array(evaluated.dataset.table["source"].to_pylist())
    (model,) = evaluated.models
    table_rows = tables.sources(evaluated).rows
    assert [row[0] for row in table_rows] == ["gene", "shuffle"]
    for source, rows, called, share in table_rows:
        members = kinds == source
        assert rows == members.sum()
        assert called == (model.probabilities[members] >= model.threshold).sum()
        assert share == called / rows


def test_the_bundles_threshold_is_marked_among_others(evaluated: Evaluation) -> None:
    (row,) = (row for row in tables.thresholds(evaluated, 0).rows if "bundle" in str(row[0]))
    model = evaluated.models[0].metrics
    assert row[0] == "0.500 (the bundle's)"
    assert row[2:] == pytest.approx((model["precision"], model["recall"], model["f1"], model["mcc"]))


@pytest.mark.parametrize("fixture", ["evaluated", "side_by_side"])
def test_no_table_of_the_terminal_is_wider_than_80_columns(
    fixture: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluation: Evaluation = request.getfixturevalue(fixture)
    terminal = Terminal(80)
    for table in tables.terminal_tables(evaluation):
        terminal.table(table.caption, table.header, table.rows)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert any("By chromosome" in line for line in lines)
