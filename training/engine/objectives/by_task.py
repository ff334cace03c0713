"""The objective of a dataset's task."""

from __future__ import annotations

from pipelines.dataset.token_dataset import TokenDataset
from training.config import TrainingConfig
from training.engine.objectives.classification import Classification
from training.engine.objectives.objective import Objective
from training.engine.objectives.recognition import Recognition
from training.tasks import Task


def objective_of(config: TrainingConfig, train: TokenDataset, scoring_budget: int | None = None) -> Objective:
    """What a model learns from a dataset.

    Args:
        config: the optimisation, as `Task.training` gives it.
        train: the rows to learn from.
        scoring_budget: most padded tokens in a batch of rows that are scored (default: the budget of training).
    """
    task = Task.of_dataset(train.manifest["config"])
    if task.has_classes:
        return Classification(config, train, scoring_budget, len(task.classes))
    if not task.is_structure:
        return Recognition(config, train, scoring_budget)
    # Of this task alone: it needs the decoder's compiler.
    from training.engine.objectives.structure import Structure

    return Structure(config, train)
