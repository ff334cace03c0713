from __future__ import annotations

import inspect
import multiprocessing
import os
import re
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import raygene
import training
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import UsageError
from pipelines.metrics import binary_metrics
from raygene import commands
from tests.training.small_bundle import small_bundle
from training.data.batch import TokenBatch

BLOCKS = re.findall(r"```python\n(.*?)```", Path(__file__).parents[3].joinpath("docs/python.md").read_text(), re.DOTALL)
TEN_LINES, RANKS, DATALOADER, THREE_LINES, SCORE, BUNDLE, ANNOTATE = BLOCKS


@pytest.fixture
def in_folder(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the dataset as `data`."""
    (tmp_path / "data").symlink_to(dataset)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def same(first: TokenBatch, second: TokenBatch) -> bool:
    pairs = ((first.tokens, second.tokens), (first.lengths, second.lengths), (first.labels, second.labels))
    return all(torch.equal(a, b) for a, b in pairs) and np.array_equal(first.counts, second.counts)


def test_the_ten_lines_of_the_docs_train_a_model(in_folder: Path, validation_split: TokenDataset) -> None:
    assert len([line for line in TEN_LINES.splitlines() if line]) == 10
    torch.manual_seed(0)
    namespace: dict[str, Any] = {}
    exec(TEN_LINES, namespace)
    batch = training.collate_rows([validation_split[row] for row in range(len(validation_split))])
    with torch.inference_mode():
        scores = torch.sigmoid(namespace["model"](batch.padded()).squeeze(1)).numpy()
    assert binary_metrics(validation_split.labels, scores, threshold=0.5)["auroc"] > 0.9


def rank_of_the_docs(rank: int, ranks: int, port: int, answers: Any) -> None:
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": ranks, "RANK": rank}
    os.environ |= {name: str(value) for name, value in group.items()}
    namespace: dict[str, Any] = {}
    exec(RANKS, namespace)
    answers.put(namespace["model"].weight.detach().numpy())
    namespace["dist"].destroy_process_group()


def test_the_ranks_of_the_docs_end_with_the_same_weights_as_one_process(in_folder: Path) -> None:
    fork = multiprocessing.get_context("fork")

    def run(ranks: int) -> list[np.ndarray]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        answers = fork.Queue()
        started = [fork.Process(target=rank_of_the_docs, args=(rank, ranks, port, answers)) for rank in range(ranks)]
        for process in started:
            process.start()
        weights = [answers.get(timeout=100) for _ in started]
        for process in started:
            process.join()
        return weights

    alone, (first, second) = run(1)[0], run(2)
    assert np.array_equal(first, second)
    assert first == pytest.approx(alone, rel=1e-4, abs=1e-6)
    assert abs(alone).max() > 1e-3


def test_the_dataloader_of_the_docs_gives_the_same_batches_as_the_loader(train_split: TokenDataset) -> None:
    loader = training.loader(train_split, global_batch_size=16, token_budget=1000, seed=3)
    namespace = {"torch": torch, "raygene": raygene, "dataset": train_split, "loader": loader, "epoch": 2}
    exec(DATALOADER, namespace)
    of_dataloader, of_loader = list(namespace["batches"]), list(loader.epoch(2))
    assert len(of_dataloader) == len(of_loader) > len(train_split) // 16
    assert all(map(same, of_dataloader, of_loader))


def test_a_bundle_is_loaded_and_scores_a_sequence_as_the_docs_say(in_folder: Path, train_split: TokenDataset) -> None:
    small_bundle(train_split).save(in_folder / "run" / "bundle")
    assert len([line for line in THREE_LINES.splitlines() if line]) <= 3
    namespace: dict[str, Any] = {"torch": torch}
    exec(THREE_LINES + SCORE + BUNDLE, namespace)
    assert namespace["probability"].item() == pytest.approx(namespace["probabilities"][0], abs=1e-6)


def test_the_call_of_annotate_in_the_docs_fits_its_parameters(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = list[dict[str, Any]]()

    def annotate(*arguments: Any, **options: Any) -> dict[str, Any]:
        calls.append(inspect.signature(commands.annotate).bind(*arguments, **options).arguments)
        return {"counts": {"complete": 7}}

    monkeypatch.setattr(raygene, "annotate", annotate)
    exec(ANNOTATE, {"raygene": raygene})
    (call,) = calls
    assert call["proteins"] == "proteins.fa"
    assert capsys.readouterr().out == "7 complete genes\n"


def test_an_epoch_has_every_row_once_and_ranks_share_it(train_split: TokenDataset) -> None:
    def ids(workers: int) -> list[list[int]]:
        loaders = [
            training.loader(train_split, global_batch_size=10, workers=workers, rank=rank) for rank in range(workers)
        ]
        rows = [
            tokens.tolist()
            for loader in loaders
            for part in loader.epoch(1)
            for tokens in part.tokens.split(part.counts.tolist())
        ]
        return sorted(rows)

    expected = sorted(train_split[row][0].tolist() for row in range(len(train_split)))
    assert ids(1) == ids(3) == expected


def test_steps_resume_with_another_number_of_ranks(train_split: TokenDataset) -> None:
    def rows(steps: list[Any]) -> list[list[int]]:
        return sorted(
            row.tolist() for step in steps for part in step.parts for row in part.tokens.split(part.counts.tolist())
        )

    steps = list(training.loader(train_split, global_batch_size=10).steps(0))
    first = steps[:7]
    rest = [
        list(training.loader(train_split, global_batch_size=10, workers=2, rank=rank).steps(0, start=7))
        for rank in (0, 1)
    ]
    assert [step.number for step in rest[0]] == [step.number for step in rest[1]] == list(range(7, len(steps)))
    assert rows([*first, *rest[0], *rest[1]]) == rows(steps)


def test_an_epoch_can_be_left_early(train_split: TokenDataset) -> None:
    loader = training.loader(train_split, global_batch_size=1)
    batches = loader.epoch(0)
    first = next(batches)
    del batches
    assert same(first, next(loader.epoch(0)))


def test_the_earlier_name_of_the_batch_size_is_an_error_that_gives_the_new_one(train_split: TokenDataset) -> None:
    with pytest.raises(UsageError, match="batch: renamed: write global_batch_size"):
        training.loader(train_split, batch=16)
    with pytest.raises(TypeError, match="unexpected keyword argument 'bach'"):
        training.loader(train_split, bach=16)


@pytest.mark.parametrize(
    "wrong", [{"global_batch_size": 0}, {"token_budget": 0}, {"workers": 0}, {"workers": 2, "rank": 2}, {"rank": -1}]
)
def test_sizes_that_make_no_sense_are_refused(train_split: TokenDataset, wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="loader: "):
        training.loader(train_split, **wrong)  # type: ignore[arg-type]
