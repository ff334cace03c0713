"""The conclusion of an evaluation, in one sentence for each model, and warnings about what it cannot show."""

from __future__ import annotations

from training.evaluation.evaluate import Difference, Evaluation, ModelEvaluation

ENDS = ("first_six", "last_six", "ends")
# A trivial rule that reaches this AUROC gives the answer away.
LEAK_AUROC = 0.95


def conclude(evaluation: Evaluation) -> list[str]:
    """Compare each model with the best trivial rule, one sentence a model; with several, each opens with its name."""
    sentences = [
        _conclude(evaluation, model, evaluation.differences[number]) for number, model in enumerate(evaluation.models)
    ]
    if len(evaluation.models) == 1:
        return sentences
    return [f"{model.name}: {sentence}" for model, sentence in zip(evaluation.models, sentences, strict=True)]


def warnings(evaluation: Evaluation) -> list[str]:
    """A warning for each model trained on another dataset, whose train rows may lie in this split."""
    evaluated_on = evaluation.dataset.manifest["fingerprint"]
    texts = []
    for model in evaluation.models:
        if (trained_on := model.config["dataset"]["fingerprint"]) != evaluated_on:
            name = "the model" if len(evaluation.models) == 1 else f"model {model.name}"
            texts.append(
                f"{name} was trained on dataset {trained_on[:12]} and is evaluated on dataset {evaluated_on[:12]}: "
                f"split {evaluation.dataset.split} may hold intervals it was trained on"
            )
    return texts


def _conclude(evaluation: Evaluation, model: ModelEvaluation, difference: Difference) -> str:
    best, model_auroc = evaluation.rules[0], model.metrics["auroc"]
    rule_auroc = best.metrics["auroc"]
    # 5-mers are what a gene is made of: a regression on them is a baseline to beat, not a leak.
    leak = next((rule for rule in evaluation.rules if rule.name != "kmers"), best)
    if leak.metrics["auroc"] >= LEAK_AUROC:
        reach = "reach" if leak.name in ENDS else "reaches"
        return (
            f"The {leak.description} alone {reach} AUROC {leak.metrics['auroc']:.3f} (model {model_auroc:.3f}): the "
            f"intervals give the answer away, and this figure says little about genes. {_fix(evaluation, leak.name)}"
        )
    rule = f"the best trivial rule ({best.description}, {rule_auroc:.3f})"
    if model_auroc <= rule_auroc:
        return f"The model's AUROC {model_auroc:.3f} is not above {rule}."
    sentence = f"The model's AUROC {model_auroc:.3f} is {model_auroc - rule_auroc:.3f} above {rule}"
    interval = difference.intervals["auroc"]
    if interval is not None and interval[0] <= 0:
        low, high = interval
        return f"{sentence}, which may be chance: the difference's 95 % interval is {low:.3f} to {high:.3f}."
    return f"{sentence}."


def _fix(evaluation: Evaluation, rule: str) -> str:
    """What keeps a rule from giving the answer away."""
    if rule not in {"length", *ENDS}:
        return "Cropping does not hide it; evaluate the model on genomes in which this rule is weak."
    if evaluation.dataset.manifest["config"]["crop"]["length"] is None:
        return "Crop them (crop.length)."
    return "Lower crop.length." if rule == "length" else "Raise crop.margin."
