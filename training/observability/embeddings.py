"""`RUN/embeddings`: the token vectors of the best epoch so far, as one embedding file, while a model trains.

The worker that keeps checkpoints writes it: after an epoch that is the best so far, and when training begins or goes on, if
the file is not that of the checkpoint's best epoch. The file before is removed only then, and only if its metadata say that a training wrote it: what else lies there, files that cannot
be read included, stays. A few megabytes a file.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from torch import Tensor

from pipelines import storage
from pipelines.errors import BundleError, UsageError
from pipelines.tokens.tokenizer import Tokenizer
from training.engine.state import Record
from training.models import embedding_file

EMBEDDINGS = "embeddings"
PATTERN = "embed-*-checkpoint.safetensors"
STATED = "accuracy of the model in training on validation at the epoch's threshold"
WEIGHT = "embedding.weight"


class Embeddings:
    """The one embedding file of a run.

    Args:
        directory: made when the first is written.
        run: key of the run, by which its file is told from another's in the same directory.
        tokenizer: of the data.
    """

    def __init__(self, directory: Path, run: str, tokenizer: Tokenizer) -> None:
        self._directory, self._run, self._tokenizer = directory, run, tokenizer

    def keep(self, record: Record, weights: dict[str, Tensor]) -> None:
        """Make the directory hold the vectors of one epoch; those of the same run and epoch stay as they are.

        Args:
            record: of the best epoch; empty before the first, when another run's file goes.
            weights: the model's at its end.

        Raises:
            ResourceError: the place cannot be written.
        """
        storage.remove_partial(self._directory, "embed-*-checkpoint")
        mine = {"run": self._run, "epoch": str(record.get("epoch", 0)), "task": STATED}
        facts = {path: self._facts(path) for path in sorted(self._directory.glob(PATTERN))}
        trained = [path for path, told in facts.items() if told.get("task") == STATED and told.get("run")]
        there = [path for path in trained if mine.items() <= facts[path].items()]
        kept = there[:1]
        if record and not kept:
            # Records of older checkpoints have the accuracy at 0.5 only.
            accuracy = float(record.get("threshold_accuracy") or record["validation_accuracy"])
            vectors, made = weights[WEIGHT], datetime.now(UTC)
            kept = [embedding_file.save(vectors, self._tokenizer, accuracy, made, self._directory, mine)]
        for path in set(trained) - set(kept):
            path.unlink(missing_ok=True)

    @staticmethod
    def _facts(path: Path) -> dict[str, str]:
        try:
            return embedding_file.read_metadata(path)
        except BundleError:
            return {}


def refuse_own(embedding_file: str | None, output: Path) -> None:
    """Nothing, unless a run is to start from a file in its own `embeddings`, which it would replace.

    Raises:
        UsageError: it is.
    """
    if embedding_file is not None and Path(embedding_file).resolve().parent == (output / EMBEDDINGS).resolve():
        raise UsageError(
            f"model.embedding_file: {embedding_file} lies where this run keeps its own vectors and replaces them",
            "copy it elsewhere, or choose another --output",
        )
