"""The conclusion of an evaluation, in a sentence or two for each model, and warnings about what it cannot show."""

from __future__ import annotations

from pipelines.audit.rule_names import KMERS, LENGTH, OF_ENDS
from training.evaluation import common_conclusions
from training.evaluation.common_conclusions import LEAK_AUROC
from training.evaluation.recognition.evaluate import Difference, Evaluation, ModelEvaluation
from training.evaluation.recognition.thresholds import Transfer


def conclude(evaluation: Evaluation) -> list[str]:
    """Compare each model with rules, a text a model; with several, each opens with its name.

    That is the best trivial rule, and for a model of another dataset first the regression on its own training data.
    """
    sentences = [
        " ".join(
            [
                *_compare_with_own_regression(evaluation, model),
                _conclude(evaluation, model, evaluation.differences[number]),
            ]
        )
        for number, model in enumerate(evaluation.models)
    ]
    return common_conclusions.by_model([model.name for model in evaluation.models], sentences)


def warnings(evaluation: Evaluation) -> list[str]:
    """What to be careful about: models of other datasets, and thresholds that do something else here."""
    texts = []
    for model, transfer in zip(evaluation.models, evaluation.transfers, strict=True):
        name = common_conclusions.in_sentence(model.name, len(evaluation.models))
        if evaluation.is_of_another_dataset(model):
            trained_on = model.config["dataset"]["fingerprint"]
            texts.append(common_conclusions.of_another_dataset(name, trained_on, evaluation.dataset, "intervals"))
        if transfer is not None and (changes := _changes(transfer)):
            texts.append(
                f"the threshold {model.threshold:.3f} of {name} does not carry over: it {' and '.join(changes)}; "
                "choose another on labelled intervals like these, kept apart from the test"
            )
    return texts


def _changes(transfer: Transfer) -> list[str]:
    """The rates that are clearly others than on the model's own validation."""
    before, after = transfer.before, transfer.after
    rates = (
        ("calls", "called", "negatives genes", after.false_positive_rate, before.false_positive_rate),
        ("finds", "found", "genes", after.recall, before.recall),
    )
    changes = (transfer.false_positive_rate, transfer.recall)
    return [
        f"{does} {_percent(now)} of {rows} where it {did} {_percent(then)} on its own validation (95 % interval of the "
        f"difference {100 * change.interval[0]:+.1f} to {100 * change.interval[1]:+.1f} points)"
        for (does, did, rows, now, then), change in zip(rates, changes, strict=True)
        if change.is_clear
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _conclude(evaluation: Evaluation, model: ModelEvaluation, difference: Difference) -> str:
    best, model_auroc = evaluation.rules[0], model.metrics["auroc"]
    rule_auroc = best.metrics["auroc"]
    # 5-mers are what a gene is made of: a regression on them is a baseline to beat, not a leak.
    simple = next((rule for rule in evaluation.rules if rule.name != KMERS), best)
    if simple.metrics["auroc"] >= LEAK_AUROC:
        reach = "reach" if simple.name in OF_ENDS else "reaches"
        return (
            f"The {simple.description} alone {reach} AUROC {simple.metrics['auroc']:.3f} (model {model_auroc:.3f}): "
            "the intervals give the answer away, and this figure says little about genes. "
            f"{_fix(evaluation, simple.name)}"
        )
    seen = ", fitted on train of this dataset" if evaluation.is_of_another_dataset(model) else ""
    return _compare(
        model_auroc, rule_auroc, f"the best trivial rule ({best.description}{seen}, {rule_auroc:.3f})", difference
    )


def _compare_with_own_regression(evaluation: Evaluation, model: ModelEvaluation) -> list[str]:
    """The comparison with a regression that saw what the model saw; nothing where there is none."""
    if (own := evaluation.own_regression(model)) is None:
        return []
    auroc = own.rule.metrics["auroc"]
    (difference,) = (
        one for one in evaluation.differences if (one.first, one.second) == (model.name, own.rule.description)
    )
    return [_compare(model.metrics["auroc"], auroc, f"the {own.rule.description} ({auroc:.3f})", difference)]


def _compare(model_auroc: float, rule_auroc: float, rule: str, difference: Difference) -> str:
    """How a model's AUROC lies to that of a rule, which `rule` names."""
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
    if rule not in {LENGTH, *OF_ENDS}:
        return "Cropping does not hide it; evaluate the model on genomes in which this rule is weak."
    if evaluation.dataset.manifest["config"]["crop"]["length"] is None:
        return "Crop them (crop.length)."
    return "Lower crop.length." if rule == LENGTH else "Raise crop.margin."
