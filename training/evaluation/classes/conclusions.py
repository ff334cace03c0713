"""The conclusion of an evaluation of classes, in a sentence for each model, and warnings."""

from __future__ import annotations

from training.evaluation.classes.evaluate import ClassEvaluation, intervals

LEAK_AUROC = 0.95


def conclude(evaluation: ClassEvaluation) -> list[str]:
    """Compare each model with the regression on 5-mers, a sentence each; with several, each opens with its name."""
    sentences = []
    for model in evaluation.models:
        own, other = model.metrics["auroc"], evaluation.baseline.metrics["auroc"]
        rule = f"the {evaluation.baseline.name} ({other:.3f})"
        interval = intervals(model.samples - evaluation.baseline.samples)["auroc"]
        text = f"The model's AUROC {own:.3f}, the mean over {len(evaluation.classes)} classes, "
        if own <= other:
            text += f"is not above {rule}."
        else:
            text += f"is {own - other:.3f} above {rule}"
            text += "." if interval is None or interval[0] > 0 else ", which chance alone may give (95 % interval)."
        sentences.append(f"{model.name}: {text}" if len(evaluation.models) > 1 else text)
    return sentences


def warnings(evaluation: ClassEvaluation) -> list[str]:
    """What to be careful about: models of other datasets, classes that the split lacks, and lengths that tell all."""
    texts = []
    evaluated_on = evaluation.dataset.manifest["fingerprint"]
    for model in evaluation.models:
        if evaluation.is_of_another_dataset(model):
            name = "the model" if len(evaluation.models) == 1 else f"model {model.name}"
            texts.append(
                f"{name} was trained on dataset {model.config['dataset']['fingerprint'][:12]} and is evaluated on "
                f"dataset {evaluated_on[:12]}: split {evaluation.dataset.split} may hold sequences it was trained on"
            )
    present = set(evaluation.dataset.labels.tolist())
    if absent := [name for number, name in enumerate(evaluation.classes) if number not in present]:
        texts.append(
            f"split {evaluation.dataset.split} has no sequence of {', '.join(absent)}: figures are means over the "
            "others"
        )
    texts += [
        f"the {rule.description} alone reaches AUROC {rule.metrics['auroc']:.3f}: the sequences give their class away"
        for rule in evaluation.rules
        if rule.name in ("length", "gc") and rule.metrics["auroc"] >= LEAK_AUROC
    ]
    return texts
