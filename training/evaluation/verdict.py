"""What an evaluation comes to, in one sentence for each model."""

from __future__ import annotations

from training.evaluation.evaluate import Difference, Evaluation, Judged

ENDS = ("first_six", "last_six", "ends")
GIVEN_AWAY = 0.95


def verdicts(found: Evaluation) -> list[str]:
    """One sentence for each model that sets it against the best trivial rule, opening with its name if there are several."""
    named = len(found.models) > 1
    said = [_verdict(found, model, found.differences[place]) for place, model in enumerate(found.models)]
    return [f"{model.name}: {text}" if named else text for model, text in zip(found.models, said, strict=True)]


def cautions(found: Evaluation) -> list[str]:
    """A warning for each model that was trained on another dataset, whose train rows may lie in this split."""
    judged = found.dataset.manifest["fingerprint"]
    warned = []
    for model in found.models:
        if (trained := model.config["dataset"]["fingerprint"]) != judged:
            name = "the model" if len(found.models) == 1 else f"model {model.name}"
            warned.append(
                f"{name} was trained on dataset {trained[:12]} and is judged on dataset {judged[:12]}: "
                f"split {found.dataset.split} may hold intervals it was trained on"
            )
    return warned


def _verdict(found: Evaluation, model: Judged, difference: Difference) -> str:
    best, mine = found.rules[0], model.metrics["auroc"]
    theirs = best.metrics["auroc"]
    # 5-mers are what a gene is made of: a regression on them is a baseline to beat, not a leak.
    leak = next((rule for rule in found.rules if rule.name != "kmers"), best)
    if leak.metrics["auroc"] >= GIVEN_AWAY:
        reach = "reach" if leak.name in ENDS else "reaches"
        return (
            f"The {leak.description} alone {reach} AUROC {leak.metrics['auroc']:.3f} (model {mine:.3f}): the intervals "
            f"give the answer away, and this figure says little about genes. {_remedy(found, leak.name)}"
        )
    rule = f"the best trivial rule ({best.description}, {theirs:.3f})"
    if mine <= theirs:
        return f"The model's AUROC {mine:.3f} is not above {rule}."
    said = f"The model's AUROC {mine:.3f} is {mine - theirs:.3f} above {rule}"
    interval = difference.intervals["auroc"]
    if interval is not None and interval[0] <= 0:
        return f"{said}, which may be chance: the difference's 95 % interval is {interval[0]:.3f} to {interval[1]:.3f}."
    return f"{said}."


def _remedy(found: Evaluation, rule: str) -> str:
    """What keeps a rule from giving the answer away."""
    if rule not in {"length", *ENDS}:
        return "Cropping does not hide it; judge the model on genomes in which this rule is weak."
    if found.dataset.manifest["config"]["crop"]["length"] is None:
        return "Crop them (crop.length)."
    return "Lower crop.length." if rule == "length" else "Raise crop.margin."
