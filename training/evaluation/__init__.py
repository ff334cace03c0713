"""Evaluation of models on a split, compared with trivial rules on the same rows.

`evaluate` scores the rows and resamples them, and returns an `Evaluation`. The other modules turn it into tables
(`tables`), JSON (`json_report`), plots (`plots`), an HTML page (`page`), sentences (`conclusions`) and files
(`mistakes`, `predictions`).
"""

from __future__ import annotations

from training.evaluation.evaluate import Evaluation, ModelEvaluation, evaluate

__all__ = ["Evaluation", "ModelEvaluation", "evaluate"]
