"""Evaluation of models that tell genes from other intervals.

`evaluate` scores the rows and resamples them, and returns an `Evaluation`. The other modules turn it into tables
(`tables`), JSON (`json_report`), plots (`plots`), an HTML page (`page`), sentences (`conclusions`) and files
(`mistakes`).
"""

from __future__ import annotations

from training.evaluation.recognition.evaluate import Evaluation, ModelEvaluation, evaluate

__all__ = ["Evaluation", "ModelEvaluation", "evaluate"]
