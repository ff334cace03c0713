"""What is fitted after training, in the process that was started, and whether it has the memory for that.

The workers have ended by then, so that this process has what they had on its machine. Theirs may be other machines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.audit import regression_size
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.display import format_compared
from training.config import ModelConfig, TrainingConfig
from training.memory import validation
from training.memory.fixes import Fix
from training.memory.formula import Work, evaluation
from training.memory.plan import DoesNotFitError
from training.tasks import CLASSIFY, STRUCTURE, Name, Task


@dataclass(frozen=True, eq=False)
class Fitting:
    """The decoder of structure, or else the k-mer regression that a bundle is compared with.

    Attributes:
        model: the architecture.
        training: `headroom` and `validation_bases` count.
        lengths: tokens of every sequence, shape (rows,).
        vocabulary_size: number of token ids.
        task: of the dataset.
        rows: of train, to which a regression is fitted.
        budget: most padded tokens in a batch, in which a decoder's sequences are scored.
    """

    model: ModelConfig
    training: TrainingConfig
    lengths: NDArray[np.int64]
    vocabulary_size: int
    task: Name
    rows: int
    budget: int

    @classmethod
    def after_training(
        cls, model: ModelConfig, training: TrainingConfig, splits: Sequence[TokenDataset], budget: int
    ) -> Fitting:
        """That of a training on the splits of a dataset, train first."""
        train = splits[0]
        lengths = np.concatenate([split.lengths for split in splits])
        task = Task.of_dataset(train.manifest["config"]).name
        return cls(model, training, lengths, train.tokenizer.vocabulary_size, task, len(train), budget)

    @property
    def name(self) -> str:
        """What is fitted."""
        return "decoder" if self.task == STRUCTURE else f"{regression_size.K}-mer regression"

    @property
    def needed(self) -> int:
        """Bytes by which the process grows."""
        if self.task != STRUCTURE:
            return regression_size.most_bytes(self.rows, self.model.logits if self.task == CLASSIFY else 0)
        bases = min(int(self.training.validation_bases or 1), int(self.lengths.sum()))
        return validation.fitting_bytes(bases, self._scoring)

    def require(self, available: int) -> None:
        """Check that the process has enough memory.

        Args:
            available: bytes of it, `training.headroom` included.

        Raises:
            DoesNotFitError: it has too little.
        """
        usable = available * (1 - self.training.headroom)
        if self.needed > usable:
            raise self._does_not_fit(usable)

    @property
    def _scoring(self) -> int:
        """Bytes that the network takes to score a batch."""
        longest = int(self.lengths.max())
        work = Work(max(1, self.budget // longest), longest, "cpu", task=self.task)
        return evaluation(self.model, self.training, self.vocabulary_size, work)

    def _does_not_fit(self, usable: float) -> DoesNotFitError:
        required, available = format_compared(self.needed, usable)
        compared = f"needs {required}, and {available} are available"
        if self.task != STRUCTURE:
            error = DoesNotFitError(
                f"fitting the {self.name} to train, after training, {compared}",
                "use a machine with more memory, or a dataset of fewer rows",
            )
            error.fixes, error.needed = [], self.needed
            return error
        fix = Fix({"training.validation_bases": validation.most_bases(usable, self._scoring)}, round(usable))
        error = DoesNotFitError(
            f"training.validation_bases {self.training.validation_bases:,}: fitting the {self.name} to them after "
            f"training {compared}",
            f"set {fix}",
        )
        error.fixes, error.needed = [fix], self.needed
        return error
