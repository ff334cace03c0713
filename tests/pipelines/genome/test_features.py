from __future__ import annotations

from pipelines.genome.features import Annotation, Feature


def gene(chromosome: str, start: int) -> Feature:
    return Feature(chromosome, start, start + 10, "+", "a", None)


def test_the_strand_of_an_excluded_interval_is_a_sign_or_0_if_unknown() -> None:
    annotation = Annotation()
    for strand in "+-.?":
        annotation.exclude("I", 5, 9, strand)
    assert annotation.excluded == {"I": [(5, 9, 1), (5, 9, -1), (5, 9, 0), (5, 9, 0)]}


def test_chromosomes_are_those_of_genes_and_of_gene_like_features() -> None:
    annotation = Annotation(genes=[gene("II", 0), gene("III", 0)])
    annotation.exclude("I", 5, 9, "+")
    annotation.exclude("II", 0, 10, "+")
    assert annotation.chromosomes == ["I", "II", "III"]


def test_sequences_whose_new_names_are_equal_are_merged() -> None:
    annotation = Annotation(genes=[gene("1", 0), gene("chr1", 20)])
    annotation.exclude("1", 0, 10, "+")
    annotation.exclude("chr1", 20, 30, "+")
    renamed = annotation.renamed(lambda name: name.removeprefix("chr"))
    assert [gene.chromosome for gene in renamed.genes] == ["1", "1"]
    assert renamed.excluded == {"1": [(0, 10, 1), (20, 30, 1)]}
    assert annotation.renamed(lambda name: name) is annotation
