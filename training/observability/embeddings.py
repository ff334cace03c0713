"""`RUN/embeddings`: the token vectors of the best epoch so far, as one embedding file, while a model trains.

The worker that saves checkpoints writes it after every epoch that is the best so far, and when training begins or
resumes, if the file is not that of the checkpoint's best epoch. Only then is the previous file removed, and only if its
metadata say that training wrote it. Everything else in the directory stays, files that cannot be read included. A file
takes a few megabytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from torch import Tensor

from pipelines import remote, storage
from pipelines.errors import BundleError, UsageError
from pipelines.tokens.tokenizer import Tokenizer
from training.engine.state import Record
from training.models import embedding_file
from training.models.embedding_file import TOKEN_VECTORS
from training.models.ensemble import within_member

EMBEDDINGS = "embeddings"
PATTERN = "embed-*-checkpoint.safetensors"
# What the accuracy in the file is of. It also marks files that training wrote, so it never changes.
TASK = "accuracy of the model in training on validation at the epoch's threshold"


class Embeddings:
    """The one embedding file of a run.

    Args:
        directory: created when the first file is written.
        run: the beginning of the run's key, which tells its file from that of another run in the same directory.
        tokenizer: of the dataset.
    """

    def __init__(self, directory: Path, run: str, tokenizer: Tokenizer) -> None:
        self._directory, self._run, self._tokenizer = directory, run, tokenizer

    def keep(self, record: Record, weights: dict[str, Tensor]) -> None:
        """Make the directory hold the vectors of one epoch; a file of the same run and epoch is left untouched.

        Args:
            record: of the best epoch; empty before the first epoch, when only another run's file is removed.
            weights: of the model at the end of that epoch.

        Raises:
            StorageError: the file cannot be written.
        """
        storage.remove_partial(self._directory, "embed-*-checkpoint")
        expected = {"run": self._run, "epoch": str(record.get("epoch", 0)), "task": TASK} | _of_ensemble(weights)
        metadata = {path: self._metadata(path) for path in sorted(self._directory.glob(PATTERN))}
        from_training = [path for path, values in metadata.items() if values.get("task") == TASK and values.get("run")]
        current = [path for path in from_training if expected.items() <= metadata[path].items()][:1]
        if record and not current:
            # Records of older checkpoints have the accuracy at 0.5 only.
            accuracy = float(record.get("threshold_accuracy") or record["validation_accuracy"])
            vectors = next(tensor for name, tensor in weights.items() if within_member(name) == TOKEN_VECTORS)
            made = datetime.now(UTC)
            current = [embedding_file.save(vectors, self._tokenizer, accuracy, made, self._directory, expected)]
        for path in set(from_training) - set(current):
            path.unlink(missing_ok=True)

    @staticmethod
    def _metadata(path: Path) -> dict[str, str]:
        try:
            return embedding_file.read_metadata(path)
        except BundleError:
            return {}


def _of_ensemble(weights: Mapping[str, Tensor]) -> dict[str, str]:
    """What the metadata say of vectors that are one network's, while the accuracy is that of several together."""
    networks = sum(within_member(name) == TOKEN_VECTORS for name in weights)
    return {"vectors_of": f"the first of {networks} networks, whose mean has the accuracy"} if networks > 1 else {}


def refuse_own(embedding_file: str | None, output: Path) -> None:
    """Refuse a run that starts from a file in its own `embeddings`, which it would replace.

    Args:
        embedding_file: `model.embedding_file`.
        output: the run's directory.

    Raises:
        UsageError: the file is there.
    """
    path = None if embedding_file is None else remote.local_path(embedding_file)
    if path is not None and path.resolve().parent == (output / EMBEDDINGS).resolve():
        raise UsageError(
            f"model.embedding_file: {embedding_file} is in the directory where this run writes its own vectors",
            "copy it elsewhere, or choose another --output",
            key="model.embedding_file",
        )
