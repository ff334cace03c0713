from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.evaluation.recognition import Evaluation, conclusions


def with_best_rule(evaluated: Evaluation, name: str, auroc: float, crop: int | None = None) -> Evaluation:
    """The evaluation as if one rule were the best, on crops of this length, and the model's AUROC 0.9."""
    (chosen,) = (rule for rule in evaluated.rules if rule.name == name)
    others = [rule for rule in evaluated.rules if rule.name not in {name, "kmers"}]
    first = replace(chosen, metrics=chosen.metrics | {"auroc": auroc})
    config = {**evaluated.dataset.manifest["config"], "crop": {"length": crop, "position": "random"}}
    dataset = replace(evaluated.dataset, manifest=evaluated.dataset.manifest | {"config": config})
    models = [replace(model, metrics=model.metrics | {"auroc": 0.9}) for model in evaluated.models]
    return replace(evaluated, rules=[first, *others], dataset=dataset, models=models)


def with_samples(evaluated: Evaluation, model: float, rule: float, spread: float) -> Evaluation:
    """The evaluation as if AUROC of bootstrap samples lay so far apart, give or take."""
    shape = evaluated.rule_samples.shape
    swing = np.linspace(-spread, spread, shape[0])[:, None]
    models = [replace(evaluation, samples=np.full(shape, model) + swing) for evaluation in evaluated.models]
    return replace(evaluated, models=models, rule_samples=np.full(shape, rule))


def test_the_conclusion_warns_where_a_rule_gives_the_answer_away(evaluated: Evaluation) -> None:
    assert "give the answer away" in conclusions.conclude(evaluated)[0]


@pytest.mark.parametrize(
    ("rule", "crop", "opening", "fix"),
    [
        ("ends", None, "The first and last six bases alone reach AUROC 0.998", "Crop them (crop.length)."),
        ("ends", 100, "The first and last six bases alone reach AUROC 0.998", "Raise crop.margin."),
        ("length", 100, "The length in bases alone reaches AUROC 0.998", "Lower crop.length."),
        ("gc", None, "The share of G and C alone reaches AUROC 0.998", "Cropping does not hide it"),
    ],
)
def test_the_conclusion_gives_the_fix_that_fits_the_rule(
    evaluated: Evaluation, rule: str, crop: int | None, opening: str, fix: str
) -> None:
    (sentence,) = conclusions.conclude(with_best_rule(evaluated, rule, 0.998, crop))
    assert sentence.startswith(opening)
    assert fix in sentence


def test_the_conclusion_says_how_far_the_model_is_from_the_best_rule(evaluated: Evaluation) -> None:
    far = with_samples(with_best_rule(evaluated, "gc", 0.78), 0.9, 0.78, 0.02)
    assert conclusions.conclude(far) == [
        "The model's AUROC 0.900 is 0.120 above the best trivial rule (share of G and C, fitted on train of "
        "this dataset, 0.780)."
    ]
    below = with_best_rule(evaluated, "gc", 0.92)
    assert "0.900 is not above the best trivial rule" in conclusions.conclude(below)[0]


def test_a_difference_whose_interval_holds_zero_may_be_chance(evaluated: Evaluation) -> None:
    near = with_samples(with_best_rule(evaluated, "gc", 0.89), 0.9, 0.89, 0.02)
    assert "may be chance: the difference's 95 % interval is -0.009 to 0.029." in conclusions.conclude(near)[0]


def test_every_one_of_several_models_has_its_own_sentence(side_by_side: Evaluation) -> None:
    sentences = conclusions.conclude(side_by_side)
    assert [sentence.split(":")[0] for sentence in sentences] == ["first", "second"]


def test_a_model_of_another_dataset_is_warned_about_with_both_fingerprints(evaluated: Evaluation) -> None:
    evaluated_on = evaluated.dataset.manifest["fingerprint"]
    (model,) = evaluated.models
    other = {"dataset": {"fingerprint": "0123456789abcdef"}}
    evaluation = replace(evaluated, models=[replace(model, config=model.config | other)])
    assert conclusions.warnings(evaluation) == [
        f"the model was trained on dataset 0123456789ab and is evaluated on dataset {evaluated_on[:12]}: "
        "split test may hold intervals it was trained on"
    ]
    same = {"dataset": {"fingerprint": evaluated_on}}
    assert conclusions.warnings(replace(evaluated, models=[replace(model, config=model.config | same)])) == []
