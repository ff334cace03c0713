from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch

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
    assert [row[1] for row in rows[1:]] == sorted((row[1] for row in rows[1:]), reverse=True)
    assert rows[1][0] == "rule: share of G and C"


def test_the_json_is_flat_and_holds_every_figure(judged: Evaluation) -> None:
    figures = judged.to_json()
    assert {"auroc", "auprc", "mcc", "f1", "precision", "recall", "accuracy", "threshold"} <= set(figures)
    assert set(figures["shortcuts"]) == {"length", "gc", "soft_masked", "first_six", "last_six", "ends"}
    assert figures["rows"] == figures["genes"] + figures["negatives"] == 40


def test_the_verdict_warns_where_a_rule_gives_the_answer_away(judged: Evaluation) -> None:
    assert "give the answer away" in judged.verdict


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
