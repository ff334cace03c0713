"""The key of a run: one fingerprint of all that decides its result. A run with the same key is resumed."""

from __future__ import annotations

from pipelines import fingerprint
from training.bundle import start
from training.config import ModelConfig, TrainingConfig
from training.engine.checkpoints import FORMAT
from training.models import embedding_file

# Keys of `training` that change where or how fast a run computes, or what it reports, but not its result.
NOT_CONTENT = {
    "workers",
    "min_workers",
    "retries",
    "device",
    "layout",
    "token_budget",
    "headroom",
    "probe",
    "checkpoint_steps",
    "checkpoint_seconds",
    "log_steps",
    "tensorboard",
    "mlflow",
    "mlflow_experiment",
}


def run_key(model: ModelConfig, training: TrainingConfig, dataset: str) -> str:
    """SHA-256 over the model, the optimisation, the dataset, the format of checkpoints and the bundle started from.

    Args:
        model: the architecture; an embedding file counts by its content, not its path.
        training: the optimisation; the keys in `NOT_CONTENT` do not count, and a bundle to start from counts by its
            digest, not its path.
        dataset: the fingerprint of the dataset.

    Raises:
        BundleError: the embedding file or the bundle is missing.
    """
    digest = start.digest(training)
    return key_without_start(model, training, dataset) if digest is None else _key(model, training, dataset, digest)


def key_without_start(model: ModelConfig, training: TrainingConfig, dataset: str) -> str:
    """The key of the same run with weights that are drawn; arguments and errors as of `run_key`."""
    return _key(model, training, dataset, None)


def _key(model: ModelConfig, training: TrainingConfig, dataset: str, digest: str | None) -> str:
    return fingerprint.of_value(
        {
            "model": ModelConfig.with_first_names(embedding_file.identity(model)),
            "training": TrainingConfig.with_first_names(training.document(NOT_CONTENT)),
            "dataset": dataset,
            "checkpoints": FORMAT,
        }
        | ({} if digest is None else {"start": digest})
    )
