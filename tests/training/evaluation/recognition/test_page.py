from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipelines import report
from tests.training.evaluation.recognition.test_conclusions import with_best_rule
from training.evaluation.recognition import Evaluation, page

PANELS = ("roc", "precision-recall", "histogram", "calibration", "threshold", "length", "genome", "chromosome")


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in {"src", "href"} and value]
        self.ids += [value for name, value in attributes if name == "id" and value]


@pytest.fixture(scope="module")
def text(evaluated: Evaluation) -> str:
    return page.build_page(evaluated).html()


def test_the_page_is_one_file_with_a_panel_for_everything_and_no_script(text: str) -> None:
    parser = Tags()
    parser.feed(text)
    assert [name for name in parser.ids if name.startswith("figure-")] == [f"figure-{panel}" for panel in PANELS]
    assert not [link for link in parser.links if not link.startswith("#")]
    assert "script" not in parser.tags


def test_names_of_genomes_are_escaped_and_those_evaluated_kept_apart_from_those_trained_on(text: str) -> None:
    assert "60 genes and 60 negatives of &lt;other&gt;, toy ·" in text
    assert "<td>&lt;toy&gt; (another dataset)" in text
    assert "<toy>" not in text
    assert "<other>" not in text


def test_the_page_holds_intervals_parts_genes_left_out_and_mistakes(text: str) -> None:
    for expected in (
        "95 % intervals",
        "By genome",
        "By chromosome",
        "By length",
        "Genes by biotype",
        "shorter than crop",
    ):
        assert expected in text
    assert re.search(r"Negatives called genes: the \d+ most confident of \d+", text)
    assert "Caution: the model was trained on dataset elsewhere" in text


def test_labelled_sequences_are_not_said_to_be_whole_genes(
    evaluated: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ("genes shown as", "the labelled sequences, as they are") not in page._data(evaluated).rows
    monkeypatch.setitem(evaluated.dataset.manifest, "inputs", [{"genome": "promoters", "train_sha256": "0"}])
    assert ("genes shown as", "the labelled sequences, as they are") in page._data(evaluated).rows


def metrics(evaluated: Evaluation) -> str:
    """The page's tables of metrics, without figures, which take two seconds."""
    alone = report.Page("Evaluation", "")
    page._add_metrics(alone, evaluated)
    return alone.html()


def test_a_rule_above_the_model_is_the_highlighted_row(evaluated: Evaluation) -> None:
    html = metrics(with_best_rule(evaluated, "gc", 0.95))
    assert re.findall(r"<tr class=best><td>([^<]+)", html) == ["rule: share of G and C"]


def test_a_model_above_every_rule_is_the_highlighted_row(evaluated: Evaluation) -> None:
    html = metrics(with_best_rule(evaluated, "gc", 0.6))
    assert re.findall(r"<tr class=best><td>([^<]+)", html) == ["model"]


def test_models_side_by_side_are_on_one_page(side_by_side: Evaluation) -> None:
    html = page.build_page(side_by_side).html()
    assert 'id="figure-histogram-2"' in html
    assert "first − second" in html


def test_a_dataset_without_genes_left_out_has_a_line_instead_of_their_table(evaluated: Evaluation) -> None:
    alone = report.Page("Evaluation", "")
    page._add_left_out(alone, replace(evaluated, models=[replace(evaluated.models[0], left_out=[])]))
    assert "none; every usable gene is in the dataset" in alone.html()


def test_the_page_is_written_whole_and_repeats_byte_by_byte(evaluated: Evaluation, text: str, tmp_path: Path) -> None:
    page.build_page(evaluated).write(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == text
