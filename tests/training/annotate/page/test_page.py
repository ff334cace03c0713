from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.training.annotate.page.genes import gene, summary
from tests.training.annotate.page.pages import genes, write
from training.annotate.outputs import Counts
from training.annotate.page.page import build


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(tmp_path_factory.mktemp("page"), genes())


def test_every_distribution_and_kind_of_gene_has_a_figure(html: str) -> None:
    lengths = [f"length-{kind}" for kind in ("genes", "coding-sequences", "exons", "introns")]
    drawn = ("surest", "median", "least-sure", "longest", "introns", "intron")
    for name in (*lengths, "exons", "scores", *drawn, "along-1"):
        assert f'id="figure-{name}"' in html, name
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_the_page_is_the_same_bytes_for_the_same_genes(html: str, tmp_path: Path) -> None:
    assert write(tmp_path, genes()) == html


def test_the_page_loads_nothing_and_is_small(html: str) -> None:
    assert set(re.findall(r'(?:src|href|url\()=?"?(https?://[^"\')]+)', html)) == set()
    assert len(html) < 200_000


def test_names_cannot_become_markup(html: str) -> None:
    assert "<2>" not in html
    assert "m<b>" not in html
    HTMLParser().feed(html)


def test_what_is_counted_stands_on_the_page(html: str) -> None:
    text = " ".join(re.sub(r"<[^>]+>", " ", html).split())
    assert "39 gene models in 60,000 bases" in text
    assert "start to stop codon 38 97.4 %" in text
    assert "chr&lt;2&gt; 20,000 13" in text
    assert "cut by the end of the sequence" in text


def test_what_is_left_out_and_dropped_is_said(tmp_path: Path) -> None:
    text = re.sub(r"<[^>]+>", " ", write(tmp_path, genes(), Counts(left_out=7, too_short=3)))
    assert re.search(r"left out by --min-score\s+7", text)
    assert re.search(r"dropped: too short\s+3", text)


def test_a_page_without_a_gene_and_one_of_a_single_gene_are_made(tmp_path: Path) -> None:
    nothing = write(tmp_path, [])
    assert "No gene model in" in nothing
    assert "<figure" not in nothing
    single = write(tmp_path, [gene((5000, 5300))])
    assert single.count("<figure") == 1


def test_a_single_gene_is_one_and_no_quantile_of_its_lengths_exceeds_the_longest(tmp_path: Path) -> None:
    text = " ".join(re.sub(r"<[^>]+>", " ", write(tmp_path, [gene((5000, 6235))])).split())
    assert "1 gene model in 60,000 bases" in text
    assert "genes 1 1,235 1,235 1,235 1,235 1,235" in text


def test_thresholds_that_were_passed_already_are_not_said_to_leave_all(tmp_path: Path) -> None:
    found = [gene((100, 400), score=0.6), gene((1000, 1300), score=0.95)]
    text = " ".join(re.sub(r"<[^>]+>", " ", write(tmp_path, found, Counts(left_out=7))).split())
    assert "What a higher --min-score would leave lowest score genes share 0.75 1 50.0 % 0.9 1 50.0 % Some" in text


def test_a_page_of_which_every_gene_is_left_out_says_so(tmp_path: Path) -> None:
    html = write(tmp_path, [], Counts(left_out=7))
    assert "No gene model in 60,000 bases reaches --min-score: 7 left out." in html
    assert "is the genome like" not in html


def test_no_genes_are_drawn_along_sequences_if_all_lie_on_others() -> None:
    lengths = {f"s{number}": 1000 - number for number in range(60)}
    made = build(summary([gene((10, 40), chromosome=f"s{n}") for n in range(30, 55)], lengths), Counts(), [], [], [])
    assert "Along the sequences" not in made.html()
