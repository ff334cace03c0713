from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from pipelines.comparison.analysis import Analysis
from pipelines.comparison.report import page
from pipelines.gene_models.model import Gene
from tests.pipelines.comparison.report.conftest import Make, annotated_genes, gene


@pytest.fixture(scope="module")
def html(two: Analysis) -> str:
    return page.build_page(two, [("annotation", "genes.gff3")]).html()


def test_the_page_is_the_same_bytes_for_the_same_comparison(two: Analysis, html: str) -> None:
    assert html == page.build_page(two, [("annotation", "genes.gff3")]).html()
    assert "genes.gff3" in html


def test_the_page_loads_nothing_from_outside(html: str) -> None:
    addresses = set(re.findall(r'(?:src|href|url\()=?"?(https?://[^"\')]+)', html))
    assert addresses == set()


def test_every_kind_of_locus_and_every_plot_has_a_figure(html: str) -> None:
    names = ["levels", "introns", "exact", "fused", "split", "missed", "wrong-strand", "invented"]
    for name in names:
        assert f'id="figure-{name}"' in html, name
    # All genes are of 300 to 999 bases, and a plot of one point says nothing.
    assert 'id="figure-length"' not in html
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_names_from_files_cannot_become_markup(make_analysis: Make) -> None:
    name = "<img src=x onerror=alert(1)>$x_\x1b[31m"
    genes = [gene(f"{name}{number}", (1000 * number, 1000 * number + 300)) for number in range(12)]
    html = page.build_page(make_analysis({name: genes[:8]}, genes=genes), [("calls", name)]).html()
    assert "<img" not in html
    assert "\x1b" not in html
    HTMLParser().feed(html)


def test_a_page_of_nothing_and_one_of_bare_genes_are_made(make_analysis: Make) -> None:
    bare = [Gene(one.gene_id, one.chromosome, one.start, one.end, one.strand) for one in annotated_genes()]
    assert "figure-exact" not in page.build_page(make_analysis({"calls": []}, genes=[]), []).html()
    assert "figure-missed" in page.build_page(make_analysis({"calls": bare[:9]}), []).html()
