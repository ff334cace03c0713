"""Models judged on a split, beside trivial rules: figures with intervals, by place and length, calibration, mistakes, a page.

`evaluate` scores and resamples (`judge`); everything else turns the `Evaluation` it gives into tables (`tables`), JSON
(`figures`), plots (`plots`), a page (`page`) and files (`mistakes`, `predictions`).
"""

from __future__ import annotations

from training.evaluation.evaluate import Evaluation, Judged, evaluate

__all__ = ["Evaluation", "Judged", "evaluate"]
