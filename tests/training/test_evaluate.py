from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cluster.cli import main
from pipelines.errors import BundleError, DatasetError
from pipelines.tokenizer import Tokenizer
from tests.training.conftest import write_dataset
from training import models
from training.bundle import Bundle
from training.config import ModelConfig
from training.evaluate import Evaluation, evaluate
from training.scoring import probabilities


def bundle_for(tokenizer: Tokenizer) -> Bundle:
    torch.manual_seed(0)
    config = ModelConfig(embedding=8, hidden=8, stem=8)
    model = models.make(config, tokenizer.vocabulary_size).eval()
    described = {
        "threshold": 0.5,
        "genomes": ["<toy>"],
        "model": config.model_dump(),
        "metrics": {"epoch": 1},
        "dataset": {"fingerprint": "elsewhere"},
    }
    return Bundle(model, tokenizer, described)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_dataset(tmp_path_factory.mktemp("evaluate") / "data")
    manifest = path / "manifest.json"
    manifest.write_text(manifest.read_text()[:-1] + ', "counts": []}')
    return path


@pytest.fixture(scope="module")
def judged(directory: Path) -> Evaluation:
    return evaluate(bundle_for(Tokenizer(3, 1, "anchor")), directory, "test", 4096)


def test_the_probabilities_are_those_of_the_model_whatever_the_batch(judged: Evaluation) -> None:
    model, rows = bundle_for(Tokenizer(3, 1, "anchor")).model, judged.dataset
    for budget in (1, 700, 10**6):
        again = probabilities(model, rows.tokens, rows.lengths, budget)
        assert np.abs(again - judged.probabilities).max() < 1e-5


def test_the_model_comes_first_and_the_rules_after_it_best_first(judged: Evaluation) -> None:
    rows = judged.rows()
    assert rows[0][0] == "model"
    figures = [rule.metrics["auroc"] for rule in judged.rules]
    assert [row[1] for row in rows[1:]] == figures == sorted(figures, reverse=True)
    assert rows[1][0] == "rule: share of G and C"


def test_the_json_is_flat_and_holds_every_figure(judged: Evaluation) -> None:
    figures = judged.to_json()
    assert {"auroc", "auprc", "mcc", "f1", "precision", "recall", "accuracy", "threshold"} <= set(figures)
    assert set(figures["shortcuts"]) == {
        "length",
        "gc",
        "soft_masked",
        "unknown",
        "first_six",
        "last_six",
        "ends",
        "kmers",
    }
    assert figures["rows"] == figures["genes"] + figures["negatives"] == 40


def test_the_share_called_genes_is_told_for_every_source(judged: Evaluation) -> None:
    sources = np.array(judged.dataset.table["source"].to_pylist())
    for source, rows, called, share in judged.by_source():
        here = sources == source
        assert rows == here.sum()
        assert called == (judged.probabilities[here] >= judged.threshold).sum()
        assert share == called / rows
    assert judged.to_json()["called_by_source"].keys() == set(sources.tolist())


def test_the_verdict_warns_where_a_rule_gives_the_answer_away(judged: Evaluation) -> None:
    assert "give the answer away" in judged.verdict


def with_best_rule(judged: Evaluation, name: str, auroc: float, crop: int | None = None) -> Evaluation:
    """The evaluation as if one rule were the best, on crops of this length."""
    (chosen,) = (rule for rule in judged.rules if rule.name == name)
    others = [rule for rule in judged.rules if rule.name not in {name, "kmers"}]
    first = replace(chosen, metrics=chosen.metrics | {"auroc": auroc})
    config = {**judged.dataset.manifest["config"], "crop": {"length": crop, "position": "random"}}
    dataset = replace(judged.dataset, manifest=judged.dataset.manifest | {"config": config})
    return replace(judged, rules=[first, *others], dataset=dataset, metrics=judged.metrics | {"auroc": 0.9})


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
    verdict = with_best_rule(judged, rule, 0.998, crop).verdict
    assert verdict.startswith(opening)
    assert remedy in verdict


def test_the_verdict_says_how_far_the_model_is_from_the_best_rule(judged: Evaluation) -> None:
    assert "0.900 is 0.120 above the best trivial rule" in with_best_rule(judged, "gc", 0.78).verdict
    assert "0.900 is not above the best trivial rule" in with_best_rule(judged, "gc", 0.92).verdict


def test_a_rule_above_the_model_is_the_highlighted_row(judged: Evaluation) -> None:
    text = with_best_rule(judged, "gc", 0.95).page().html()
    assert re.findall(r"<tr class=best><td>([^<]+)", text) == ["rule: share of G and C"]


def test_a_model_above_every_rule_is_the_highlighted_row(judged: Evaluation) -> None:
    text = with_best_rule(judged, "gc", 0.6).page().html()
    assert re.findall(r"<tr class=best><td>([^<]+)", text) == ["model"]


def test_the_page_names_the_genomes_judged_apart_from_those_trained_on(judged: Evaluation) -> None:
    text = judged.page().html()
    assert "20 genes and 20 negatives of toy ·" in text
    assert "<td>trained on</td><td>&lt;toy&gt; (another dataset)" in text


def test_a_model_of_another_dataset_is_cautioned_about_with_both_fingerprints(judged: Evaluation) -> None:
    trained, here = "0123456789abcdef", judged.dataset.manifest["fingerprint"]
    elsewhere = replace(judged, bundle=judged.bundle | {"dataset": {"fingerprint": trained}})
    assert elsewhere.caution == (
        f"the model was trained on dataset 0123456789ab and is judged on dataset {here[:12]}: "
        "split test may hold intervals it was trained on"
    )


def test_a_model_of_this_dataset_needs_no_caution(judged: Evaluation) -> None:
    same = {"fingerprint": judged.dataset.manifest["fingerprint"]}
    assert replace(judged, bundle=judged.bundle | {"dataset": same}).caution is None


def test_the_caution_reaches_whoever_runs_the_verb(
    directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = bundle_for(Tokenizer(3, 1, "anchor"))
    config = {"format": "raygene-bundle", "format_version": 1, **bundle.config}
    config |= {"tokenizer": {"fingerprint": bundle.tokenizer.fingerprint}}
    saved = tmp_path / "bundle"
    bundle.tokenizer.save(saved)
    save_file(bundle.model.state_dict(), saved / "model.safetensors")
    (saved / "config.json").write_text(json.dumps(config))
    main(["evaluate", str(saved), "--dataset", str(directory), "--report", str(tmp_path / "page.html")])
    assert "warning: the model was trained on dataset elsewhere" in capsys.readouterr().err


def test_the_train_split_can_be_judged_too(directory: Path) -> None:
    found = evaluate(bundle_for(Tokenizer(3, 1, "anchor")), directory, "train", 4096).to_json()
    assert (found["split"], found["rows"]) == ("train", 160)


def test_the_json_holds_only_what_json_can(judged: Evaluation) -> None:
    assert json.loads(json.dumps(judged.to_json(), allow_nan=False))["auroc"] == judged.metrics["auroc"]


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.links += [value for name, value in attributes if name in {"src", "href"} and value]


def test_the_page_is_one_file_with_three_plots_and_escaped_names(judged: Evaluation, tmp_path: Path) -> None:
    judged.page().write(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    tags = Tags()
    tags.feed(text)
    assert tags.seen.count("figure") == 3
    assert not [link for link in tags.links if not link.startswith("#")]
    assert "script" not in tags.seen
    assert "&lt;toy&gt;" in text


def test_the_page_repeats_byte_by_byte(judged: Evaluation) -> None:
    assert judged.page().html() == judged.page().html()


def test_a_dataset_of_another_tokenizer_is_refused(directory: Path) -> None:
    with pytest.raises(BundleError, match="k 4 against 3"):
        evaluate(bundle_for(Tokenizer(4, 1, "anchor")), directory, "test", 4096)


def test_a_split_of_one_class_is_refused(tmp_path: Path) -> None:
    path = write_dataset(tmp_path / "data", classes=1)
    with pytest.raises(DatasetError, match="one class only"):
        evaluate(bundle_for(Tokenizer(3, 1, "anchor")), path, "test", 4096)
