from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import UsageError
from pipelines.progress import Silent
from pipelines.tokens.tokenizer import Tokenizer
from pipelines.tokens.vocabulary import PAD
from tests.training.distributed.test_reporter import run
from training.config import ModelConfig, TrainingConfig
from training.distributed.stop_signal import StopFile
from training.distributed.train import train
from training.embed import masked_prediction
from training.engine.checkpoints import Checkpoints
from training.models import embedding_file
from training.observability.embeddings import Embeddings, refuse_own

TOKENIZER = Tokenizer(3, 1, "anchor")
CONFIG = TrainingConfig(epochs=2, global_batch_size=16, tensorboard=False)


def record(epoch: int, accuracy: float = 0.75) -> dict[str, float]:
    return {"epoch": epoch, "validation_accuracy": 0.5, "threshold_accuracy": accuracy}


def weights(value: float) -> dict[str, torch.Tensor]:
    return {"embedding.weight": torch.full((67, 8), value)}


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.exists() else []


def test_the_file_of_the_best_epoch_replaces_that_of_the_one_before(tmp_path: Path) -> None:
    embeddings = Embeddings(tmp_path / "embeddings", "abc", TOKENIZER)
    embeddings.keep(record(1, 0.6), weights(1))
    embeddings.keep(record(3, 0.7), weights(3))
    (only,) = files(tmp_path / "embeddings")
    assert only.name.startswith("embed-8-67-0.7000-")
    assert embedding_file.read_metadata(only)["epoch"] == "3"
    assert (embedding_file.load(only, TOKENIZER, 8)[PAD + 1 :] == 3).all()


def test_vectors_of_the_first_of_several_networks_are_named_so(tmp_path: Path) -> None:
    several = {f"members.{number}.embedding.weight": torch.full((67, 8), float(number)) for number in (1, 2)}
    Embeddings(tmp_path, "abc", TOKENIZER).keep(record(1), several)
    (only,) = files(tmp_path)
    assert (embedding_file.load(only, TOKENIZER, 8)[PAD + 1 :] == 1).all()
    said = embedding_file.read_metadata(only)["vectors_of"]
    assert said == "the first of 2 networks, whose mean has the accuracy"
    Embeddings(tmp_path, "abc", TOKENIZER).keep(record(2), weights(2))
    (only,) = files(tmp_path)
    assert "vectors_of" not in embedding_file.read_metadata(only)


def test_the_file_of_the_epoch_that_training_resumes_from_is_not_written_again(tmp_path: Path) -> None:
    Embeddings(tmp_path, "abc", TOKENIZER).keep(record(2), weights(2))
    (path,) = files(tmp_path)
    stamp = path.stat().st_mtime_ns
    Embeddings(tmp_path, "abc", TOKENIZER).keep(record(2), weights(2))
    assert files(tmp_path) == [path]
    assert path.stat().st_mtime_ns == stamp


def test_files_of_other_runs_and_of_killed_writers_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".embed-8-67-0.9-x-checkpoint.safetensors.abc.partial").write_bytes(b"cut off")
    Embeddings(tmp_path, "other", TOKENIZER).keep(record(1), weights(1))
    Embeddings(tmp_path, "abc", TOKENIZER).keep({}, {})
    assert files(tmp_path) == []


def test_files_that_no_training_wrote_stay(tmp_path: Path) -> None:
    (tmp_path / "embed-8-67-0.9-x-checkpoint.safetensors").write_bytes(b"cut off")
    metadata = {"task": masked_prediction.DESCRIPTION, "key": "abc"}
    embedding_file.save(torch.ones(67, 8), TOKENIZER, 0.06, datetime(2026, 1, 2, tzinfo=UTC), tmp_path, metadata)
    before = files(tmp_path)
    Embeddings(tmp_path, "abc", TOKENIZER).keep(record(1), weights(1))
    assert len(files(tmp_path)) == 3
    Embeddings(tmp_path, "other", TOKENIZER).keep({}, {})
    assert files(tmp_path) == before


def test_a_run_does_not_start_from_a_file_that_it_would_replace(tmp_path: Path) -> None:
    refuse_own(None, tmp_path)
    refuse_own(str(tmp_path / "own.safetensors"), tmp_path)
    model = ModelConfig(embedding_file=str(tmp_path / "x" / ".." / "embeddings" / "own.safetensors"))
    with pytest.raises(
        UsageError,
        match=r"own.safetensors is in the directory where this run writes its own vectors.*copy it elsewhere",
    ):
        train(model, CONFIG, tmp_path / "none", tmp_path, Silent(), {})


def test_training_keeps_the_vectors_of_its_best_epoch(
    tmp_path: Path, train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    state, _, _ = run(tmp_path, train_split, validation_split, CONFIG)
    (only,) = files(tmp_path / "embeddings")
    metadata = embedding_file.read_metadata(only)
    assert (metadata["epoch"], metadata["accuracy"]) == (
        str(state.best_record["epoch"]),
        f"{state.best_record['threshold_accuracy']:.4f}",
    )
    vectors = embedding_file.load(only, train_split.tokenizer, 8)
    assert torch.equal(vectors[PAD + 1 :], state.best["embedding.weight"][PAD + 1 :])


def test_a_resumed_run_brings_the_file_in_line_with_its_checkpoint(
    tmp_path: Path, train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    first = CONFIG.model_copy(update={"epochs": 1})
    run(tmp_path, train_split, validation_split, first)
    (path,) = files(tmp_path / "embeddings")
    vectors = embedding_file.load(path, train_split.tokenizer, 8)
    path.unlink()
    # As after a kill between an epoch's checkpoint and its embedding file.
    StopFile(tmp_path / "checkpoints").request()
    run(tmp_path, train_split, validation_split, CONFIG)
    (again,) = files(tmp_path / "embeddings")
    assert torch.equal(embedding_file.load(again, train_split.tokenizer, 8), vectors)
    assert Checkpoints(tmp_path / "checkpoints").latest() is not None
