from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.build import left_out
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import DatasetError
from tests.training.conftest import write_dataset
from tests.training.evaluation.conftest import bundle_for, write_left_out
from training.bundle.bundle import Bundle
from training.data.step_plan import scoring_batches
from training.distributed.nodes.actor_pool import Pool
from training.evaluation.recognition import evaluate, json_report
from training.evaluation.row_source import RowSource, score_here
from training.inference import row_scores
from training.inference.row_scores import Place, RowScorer, cut, score_on

LENGTHS = st.lists(st.integers(1, 500), max_size=300).map(lambda lengths: np.array(lengths, dtype=np.int64))


@pytest.fixture(scope="module")
def dataset_with_left_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_dataset(tmp_path_factory.mktemp("scores") / "data", rows=480)
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(manifest | {"counts": []}))
    write_left_out(path)
    return path


@given(LENGTHS, st.integers(1, 2000), st.integers(1, 3000))
def test_tasks_are_whole_batches_that_cover_the_order_of_one_process(
    lengths: np.ndarray, budget: int, tokens: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_scores, "TASK_TOKENS", tokens)
        order, tasks = cut(lengths, budget)
    batches = [batch.tolist() for batch in scoring_batches(lengths, budget)]
    again = [
        order[first:last][part].tolist()
        for first, last in tasks
        for part in scoring_batches(lengths[order[first:last]], budget)
    ]
    assert again == batches
    assert all(lengths[order[first:last]].sum() >= tokens for first, last in tasks[:-1])


def test_a_task_gives_the_bits_that_one_process_gives(
    dataset_with_left_out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_scores, "TASK_TOKENS", 300)
    test = TokenDataset.open(dataset_with_left_out, "test")
    models = {"a": bundle_for(test.tokenizer), "b": bundle_for(test.tokenizer, seed=1)}
    manifest = test.manifest
    genes = left_out.read(dataset_with_left_out, manifest)
    assert genes is not None
    some = np.arange(0, len(genes), 2)
    sources = (
        RowSource.of_split(dataset_with_left_out, test),
        RowSource(dataset_with_left_out, manifest["fingerprint"], None, genes.tokens, genes.lengths, some),
    )

    def in_this_process(tables: list[Any], mapper: type, arguments: Any, actors: int, *, use_gpu: bool) -> Any:
        scorer = mapper(*arguments)
        return [scorer(table) for table in reversed(tables)]

    monkeypatch.setattr(row_scores, "map_tables_on_actors", in_this_process)
    for source in sources:
        alone = score_here()(models, source, 500, lambda _: None)
        pooled = score_on(Pool(2, use_gpu=False))(models, source, 500, lambda _: None)
        assert all(np.array_equal(alone[name], pooled[name]) for name in models)


def test_a_dataset_that_was_replaced_is_refused(dataset_with_left_out: Path) -> None:
    for split in ("test", None):
        place = Place(dataset_with_left_out, "0" * 64, split, np.arange(2))
        with pytest.raises(DatasetError, match="replaced"):
            RowScorer({}, place, 500, use_gpu=False)


@pytest.mark.ray
@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.full), 2])
def test_an_evaluation_is_the_same_whatever_the_number_of_workers(
    dataset_with_left_out: Path, ray_session: Any, workers: int
) -> None:
    tokenizer = TokenDataset.open(dataset_with_left_out, "test").tokenizer
    bundles: dict[str, Bundle] = {"a": bundle_for(tokenizer)}
    alone = evaluate(bundles, dataset_with_left_out, "test", 500, samples=100)
    spread = evaluate(
        bundles, dataset_with_left_out, "test", 500, samples=100, score=score_on(Pool(workers, use_gpu=False))
    )
    assert json_report.to_json(spread) == json_report.to_json(alone)
