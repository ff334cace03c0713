from __future__ import annotations

import json
import shutil
from pathlib import Path

from pipelines.build import left_out
from pipelines.dataset.token_dataset import read_manifest
from pipelines.metrics import wilson_interval
from tests.training.evaluation.conftest import TOKENIZER, bundle_for
from training.engine.scoring import probabilities
from training.evaluation.recognition import Evaluation, evaluate, tables


def test_genes_left_out_are_evaluated_by_reason_without_those_over_train(
    directory: Path, evaluated: Evaluation
) -> None:
    genes = left_out.read(directory, read_manifest(directory))
    assert genes is not None
    scores = probabilities(bundle_for(TOKENIZER).model, genes.tokens, genes.lengths, 4096)
    expected: dict[tuple[str, str], list[int]] = {}
    for row, score in zip(genes.table.to_pylist(), scores, strict=True):
        for among in ["every split"] + ["test"] * (row["split"] == "test"):
            counts = expected.setdefault((among, row["reason"]), [0, 0, 0])
            counts[0] += 1
            counts[1] += not row["overlaps_train"]
            counts[2] += not row["overlaps_train"] and score >= 0.5
    actual = {
        (recall.among, recall.name): [recall.genes, recall.evaluated, recall.called]
        for recall in evaluated.models[0].left_out
    }
    assert actual == expected
    assert [recall.among for recall in evaluated.models[0].left_out] == ["test", "test", "every split", "every split"]
    recall = evaluated.models[0].left_out[0]
    assert (recall.share, recall.interval) == (
        recall.called / recall.evaluated,
        wilson_interval(recall.called, recall.evaluated),
    )


def test_recall_by_biotype_is_that_of_a_plain_loop(evaluated: Evaluation) -> None:
    (model,) = evaluated.models
    expected: dict[str, list[bool]] = {}
    for row, called in zip(evaluated.dataset.table.to_pylist(), model.probabilities >= model.threshold, strict=True):
        if row["label"] == 1:
            expected.setdefault(row["biotype"] or "unspecified", []).append(bool(called))
    assert {recall.name: (recall.genes, recall.called) for recall in model.biotypes} == {
        name: (len(called), sum(called)) for name, called in expected.items()
    }
    assert [recall.genes for recall in model.biotypes] == sorted(
        (recall.genes for recall in model.biotypes), reverse=True
    )


def without(directory: Path, folder: Path, left_out_entry: object) -> Evaluation:
    """The evaluation of a dataset with another account of genes left out."""
    shutil.copytree(directory, folder)
    manifest = read_manifest(folder)
    manifest.pop("left_out")
    manifest |= {"left_out": left_out_entry} if left_out_entry else {}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return evaluate({"model": bundle_for(TOKENIZER)}, folder, "test", 4096, samples=100)


def test_a_dataset_that_keeps_none_or_leaves_none_out_says_so_in_a_line(directory: Path, tmp_path: Path) -> None:
    older = without(directory, tmp_path / "older", None)
    assert "does not keep them" in (tables.explain_no_left_out(older) or "")
    complete = without(directory, tmp_path / "whole", {"genes": 0, "reasons": {}, "files": []})
    assert "every usable gene is in the dataset" in (tables.explain_no_left_out(complete) or "")
    assert tables.left_out(older) is tables.left_out(complete) is None
