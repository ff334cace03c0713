from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.evaluation import Evaluation, verdict


def with_best_rule(judged: Evaluation, name: str, auroc: float, crop: int | None = None) -> Evaluation:
    """The evaluation as if one rule were the best, on crops of this length, and the model's AUROC 0.9."""
    (chosen,) = (rule for rule in judged.rules if rule.name == name)
    others = [rule for rule in judged.rules if rule.name not in {name, "kmers"}]
    first = replace(chosen, metrics=chosen.metrics | {"auroc": auroc})
    config = {**judged.dataset.manifest["config"], "crop": {"length": crop, "position": "random"}}
    dataset = replace(judged.dataset, manifest=judged.dataset.manifest | {"config": config})
    models = [replace(model, metrics=model.metrics | {"auroc": 0.9}) for model in judged.models]
    return replace(judged, rules=[first, *others], dataset=dataset, models=models)


def with_samples(judged: Evaluation, model: float, rule: float, spread: float) -> Evaluation:
    """The evaluation as if AUROC of bootstrap samples lay so far apart, give or take."""
    shape = judged.rule_samples.shape
    swing = np.linspace(-spread, spread, shape[0])[:, None]
    models = [replace(one, samples=np.full(shape, model) + swing) for one in judged.models]
    return replace(judged, models=models, rule_samples=np.full(shape, rule))


def test_the_verdict_warns_where_a_rule_gives_the_answer_away(judged: Evaluation) -> None:
    assert "give the answer away" in verdict.verdicts(judged)[0]


@pytest.mark.parametrize(
    ("rule", "crop", "opening", "remedy"),
    [
        ("ends", None, "The first and last six bases alone reach AUROC 0.998", "Crop them (crop.length)."),
        ("ends", 100, "The first and last six bases alone reach AUROC 0.998", "Raise crop.margin."),
        ("length", 100, "The length in bases alone reaches AUROC 0.998", "Lower crop.length."),
        ("gc", None, "The share of G and C alone reaches AUROC 0.998", "Cropping does not hide it"),
    ],
)
def test_the_verdict_gives_the_remedy_that_fits_the_rule(
    judged: Evaluation, rule: str, crop: int | None, opening: str, remedy: str
) -> None:
    (said,) = verdict.verdicts(with_best_rule(judged, rule, 0.998, crop))
    assert said.startswith(opening)
    assert remedy in said


def test_the_verdict_says_how_far_the_model_is_from_the_best_rule(judged: Evaluation) -> None:
    far = with_samples(with_best_rule(judged, "gc", 0.78), 0.9, 0.78, 0.02)
    assert verdict.verdicts(far) == [
        "The model's AUROC 0.900 is 0.120 above the best trivial rule (share of G and C, 0.780)."
    ]
    below = with_best_rule(judged, "gc", 0.92)
    assert "0.900 is not above the best trivial rule" in verdict.verdicts(below)[0]


def test_a_difference_whose_interval_holds_zero_may_be_chance(judged: Evaluation) -> None:
    near = with_samples(with_best_rule(judged, "gc", 0.89), 0.9, 0.89, 0.02)
    assert "may be chance: the difference's 95 % interval is -0.009 to 0.029." in verdict.verdicts(near)[0]


def test_every_one_of_several_models_has_its_own_sentence(side_by_side: Evaluation) -> None:
    said = verdict.verdicts(side_by_side)
    assert [one.split(":")[0] for one in said] == ["first", "second"]


def test_a_model_of_another_dataset_is_cautioned_about_with_both_fingerprints(judged: Evaluation) -> None:
    here = judged.dataset.manifest["fingerprint"]
    (model,) = judged.models
    trained = {"dataset": {"fingerprint": "0123456789abcdef"}}
    elsewhere = replace(judged, models=[replace(model, config=model.config | trained)])
    assert verdict.cautions(elsewhere) == [
        f"the model was trained on dataset 0123456789ab and is judged on dataset {here[:12]}: "
        "split test may hold intervals it was trained on"
    ]
    same = {"dataset": {"fingerprint": here}}
    assert verdict.cautions(replace(judged, models=[replace(model, config=model.config | same)])) == []
