from __future__ import annotations

from pipelines.gene_models.model import Gene
from tests.training.annotate.page.genes import chosen, gene, spliced
from training.annotate.page.examples import MIN_FLANK, TITLES

LENGTHS = {"chr1": 400_000, "chr2": 400_000}


def many() -> list[Gene]:
    """Genes of scores from 0 to 1 on two sequences, one of them with many introns, one with a long one, one long."""
    genes = [
        spliced(5000 * number, number % 4, chromosome=name, score=number / 60, name=f"{name}:{number}")
        for name in LENGTHS
        for number in range(60)
    ]
    genes.append(spliced(310_000, 20, name="many introns"))
    genes.append(gene((330_000, 330_300), (334_000, 334_100), name="long intron"))
    genes.append(gene((350_000, 357_000), name="long"))
    return sorted(genes, key=lambda one: (one.chromosome, one.start))


def test_there_is_an_example_of_every_kind_in_the_order_of_the_page() -> None:
    examples = chosen(many(), LENGTHS)
    assert [example.kind for example in examples] == list(TITLES)
    names = {example.kind: example.gene.gene_id for example in examples}
    assert (names["introns"], names["intron"], names["longest"]) == ("many introns", "long intron", "long")


def test_genes_that_are_drawn_for_their_score_have_that_score_and_introns() -> None:
    examples = {example.kind: example.gene for example in chosen(many(), LENGTHS)}
    scores = [examples[kind].score or 0 for kind in ("least-sure", "median", "surest")]
    assert scores[0] < 0.04 < 0.45 < scores[1] < 0.55 < 0.96 < scores[2]
    assert examples["median"].transcripts[0].introns


def test_sequences_without_a_picture_come_first() -> None:
    assert {example.window.chromosome for example in chosen(many(), LENGTHS)} == set(LENGTHS)


def test_pictures_do_not_overlap_and_hold_their_genes_with_neighbourhood() -> None:
    windows = []
    for example in chosen(many(), LENGTHS):
        window, drawn = example.window, example.gene
        assert 0 <= window.start <= max(drawn.start - MIN_FLANK, 0)
        assert min(drawn.end + MIN_FLANK, 400_000) <= window.end <= 400_000
        assert not any(window.chromosome == one.chromosome and window.overlaps(one.start, one.end) for one in windows)
        windows.append(window)
    assert len(windows) > 1


def test_a_single_gene_is_drawn_once_and_none_is_no_example() -> None:
    assert len(chosen([spliced(100, 1)], {"chr1": 1000})) == 1
    assert chosen([], {"chr1": 1000}) == []
    assert chosen([], {}) == []


def test_genes_without_a_score_can_be_drawn_for_their_size() -> None:
    kinds = {example.kind for example in chosen([gene((100, 900), score=None)], {"chr1": 1000})}
    assert kinds == {"longest"}
