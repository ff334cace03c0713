"""The conclusion of an evaluation of classes, in a sentence for each model, and warnings."""

from __future__ import annotations

from pipelines.audit.rule_names import GC, LENGTH
from training.evaluation import common_conclusions
from training.evaluation.classes.evaluate import ClassEvaluation, ClassModel, intervals
from training.evaluation.common_conclusions import LEAK_AUROC


def conclude(evaluation: ClassEvaluation) -> list[str]:
    """Compare each model with the best rule, and its calls with the regression's; with several, each opens with a name.

    A model of another dataset is compared with the regression on its own training data first. The best rule is that of
    the highest AUROC. MCC and macro-F1 are mentioned where they are clearly below.
    """
    texts = [
        " ".join(
            [
                *_compare_with_own_regression(evaluation, model),
                _compare_with_best_rule(evaluation, model),
                *_calls(evaluation, model),
            ]
        )
        for model in evaluation.models
    ]
    return common_conclusions.by_model([model.name for model in evaluation.models], texts)


def _compare_with_own_regression(evaluation: ClassEvaluation, model: ClassModel) -> list[str]:
    """The comparison with a regression that saw what the model saw; nothing where there is none."""
    own = evaluation.own_regression(model)
    return [] if own is None else [_areas(evaluation, model, own, f"the {own.name}")]


def _compare_with_best_rule(evaluation: ClassEvaluation, model: ClassModel) -> str:
    best = evaluation.best
    seen = ", fitted on train of this dataset" if evaluation.is_of_another_dataset(model) else ""
    return _areas(evaluation, model, best, f"the best rule, {best.name}{seen}")


def _areas(evaluation: ClassEvaluation, model: ClassModel, rule: ClassModel, named: str) -> str:
    """How a model's AUROC lies to that of a rule, which is named so."""
    area, area_of_rule = model.metrics["auroc"], rule.metrics["auroc"]
    named = f"{named} ({area_of_rule:.3f})"
    text = f"The model's AUROC {area:.3f}, the mean over {len(evaluation.classes)} classes, "
    if area <= area_of_rule:
        return f"{text}is not above {named}."
    interval = intervals(model.samples - rule.samples)["auroc"]
    is_clear = interval is None or interval[0] > 0
    return f"{text}is {area - area_of_rule:.3f} above {named}" + (
        "." if is_clear else ", which chance alone may give (95 % interval)."
    )


def _calls(evaluation: ClassEvaluation, model: ClassModel) -> list[str]:
    """A sentence on the figures of calls that are below the regression's throughout their interval; none if none is."""
    baseline = evaluation.baseline
    ends = intervals(model.samples - baseline.samples)
    clauses = []
    for metric, title in (("mcc", "MCC"), ("macro_f1", "macro-F1")):
        interval = ends[metric]
        if interval is not None and interval[1] < 0:
            below = baseline.metrics[metric] - model.metrics[metric]
            clauses.append(f"{title} is {below:.3f} below (95 % {-interval[1]:.3f} to {-interval[0]:.3f})")
    return [f"Compared with the {baseline.name}, its {' and its '.join(clauses)}."] if clauses else []


def warnings(evaluation: ClassEvaluation) -> list[str]:
    """What to be careful about: models of other datasets, classes that lack rows or calls, and rules that tell all."""
    texts = []
    for model in evaluation.models:
        name = common_conclusions.in_sentence(model.name, len(evaluation.models))
        counts = evaluation.confusion(model)
        if silent := [
            of
            for of, rows, calls in zip(evaluation.classes, counts.sum(1), counts.sum(0), strict=True)
            if rows and not calls
        ]:
            texts.append(f"{name} never calls {', '.join(silent)}, of which the split has sequences")
        if evaluation.is_of_another_dataset(model):
            trained_on = model.config["dataset"]["fingerprint"]
            texts.append(common_conclusions.of_another_dataset(name, trained_on, evaluation.dataset, "sequences"))
    present = set(evaluation.dataset.labels.tolist())
    if absent := [name for number, name in enumerate(evaluation.classes) if number not in present]:
        texts.append(
            f"split {evaluation.dataset.split} has no sequence of {', '.join(absent)}: figures are means over the "
            "others"
        )
    texts += [
        f"the {rule.description} alone reaches AUROC {rule.metrics['auroc']:.3f}: the sequences give their class away"
        for rule in evaluation.rules
        if rule.name in (LENGTH, GC) and rule.metrics["auroc"] >= LEAK_AUROC
    ]
    return texts
