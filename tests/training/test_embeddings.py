from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipelines.dataset import TokenDataset
from pipelines.tokenizer import PAD, Tokenizer
from tests.training.test_reporter import run
from training import embedding_file
from training.checkpoints import Checkpoints
from training.config import TrainingConfig
from training.embeddings import Embeddings
from training.notice import StopFile

TOKENIZER = Tokenizer(3, 1, "anchor")
CONFIG = TrainingConfig(epochs=2, batch=16, tensorboard=False)


def record(epoch: int, accuracy: float = 0.75) -> dict[str, float]:
    return {"epoch": epoch, "validation_accuracy": 0.5, "threshold_accuracy": accuracy}


def weights(value: float) -> dict[str, torch.Tensor]:
    return {"embedding.weight": torch.full((67, 8), value)}


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.exists() else []


def test_the_best_epoch_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    kept = Embeddings(tmp_path / "embeddings", "abc", TOKENIZER)
    kept.keep(record(1, 0.6), weights(1))
    kept.keep(record(3, 0.7), weights(3))
    (only,) = files(tmp_path / "embeddings")
    assert only.name.startswith("embed-8-67-0.7000-")
    assert embedding_file.facts(only)["epoch"] == "3"
    assert (embedding_file.load(only, TOKENIZER, 8)[PAD + 1 :] == 3).all()


def test_the_file_of_the_epoch_that_training_goes_on_from_is_not_written_again(tmp_path: Path) -> None:
    Embeddings(tmp_path, "abc", TOKENIZER).keep(record(2), weights(2))
    (before,) = files(tmp_path)
    stamp = before.stat().st_mtime_ns
    Embeddings(tmp_path, "abc", TOKENIZER).keep(record(2), weights(2))
    assert files(tmp_path) == [before]
    assert before.stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    "name", ["embed-8-67-0.9-x-checkpoint.safetensors", ".embed-8-67-0.9-x-checkpoint.safetensors.abc.partial"]
)
def test_files_of_other_runs_and_of_killed_writers_go(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"cut off")
    Embeddings(tmp_path, "other", TOKENIZER).keep(record(1), weights(1))
    Embeddings(tmp_path, "abc", TOKENIZER).keep({}, {})
    assert files(tmp_path) == []


def test_training_keeps_the_vectors_of_its_best_epoch(
    tmp_path: Path, train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    state, _, _ = run(tmp_path, train_split, validation_split, CONFIG)
    (only,) = files(tmp_path / "embeddings")
    told = embedding_file.facts(only)
    assert (told["epoch"], told["accuracy"]) == (
        str(state.best_record["epoch"]),
        f"{state.best_record['threshold_accuracy']:.4f}",
    )
    found = embedding_file.load(only, train_split.tokenizer, 8)
    assert torch.equal(found[PAD + 1 :], state.best["embedding.weight"][PAD + 1 :])


def test_a_run_that_goes_on_brings_the_file_in_line_with_its_checkpoint(
    tmp_path: Path, train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    first = CONFIG.model_copy(update={"epochs": 1})
    run(tmp_path, train_split, validation_split, first)
    (kept,) = files(tmp_path / "embeddings")
    vectors = embedding_file.load(kept, train_split.tokenizer, 8)
    kept.unlink()
    # As after a kill between an epoch's checkpoint and its embedding file.
    StopFile(tmp_path / "checkpoints").ask()
    run(tmp_path, train_split, validation_split, CONFIG)
    (again,) = files(tmp_path / "embeddings")
    assert torch.equal(embedding_file.load(again, train_split.tokenizer, 8), vectors)
    assert Checkpoints(tmp_path / "checkpoints").latest() is not None
