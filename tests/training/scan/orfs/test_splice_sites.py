from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from pipelines.gene_models.model import Transcript
from pipelines.genome import sequence
from tests.training.scan.orfs import spliced_genome
from training.scan.orfs import splice_sites
from training.scan.orfs.splice_sites import SpliceSites


@pytest.fixture(scope="module")
def sites() -> SpliceSites:
    letters, _, genes = spliced_genome.make()
    learnt = splice_sites.learn([("c", letters)], genes)
    assert learnt is not None
    return learnt


def consensus(table: splice_sites.Table) -> str:
    return "".join("ACGT"[int(np.argmax(row))] for row in table)


def test_motifs_that_only_the_annotation_tells_are_learnt_from_both_strands(sites: SpliceSites) -> None:
    assert sites.learnt_from == 60
    assert consensus(sites.donor)[splice_sites.DONOR[0] :].startswith(spliced_genome.DONOR)
    assert consensus(sites.acceptor)[: splice_sites.ACCEPTOR[0]].endswith(spliced_genome.ACCEPTOR)
    assert sites.branch[spliced_genome.BRANCH] > 2
    assert sites.introns[0] >= 60
    assert 90 <= sites.longest_first <= 92


def test_sites_are_found_where_the_annotation_has_them_and_hardly_elsewhere(sites: SpliceSites) -> None:
    letters, _, genes = spliced_genome.make()
    codes = sequence.base_codes(letters)
    donors = np.flatnonzero(sites.donor_scores(codes) >= sites.lowest_donor)
    known = {gene.transcripts[0].coding_introns[0][0] for gene in genes if gene.strand == "+"}
    assert len(known & set(donors.tolist())) >= 0.9 * len(known)
    assert len(donors) < len(letters) / 200


def test_the_score_of_a_branch_point_is_that_of_the_best_word_within_reach(sites: SpliceSites) -> None:
    letters = np.frombuffer(b"T" * 100 + spliced_genome.BRANCH.encode() + b"T" * 100, np.uint8)
    codes, end = sequence.base_codes(letters), 107
    first, last = end + splice_sites.BRANCH[1], 100 + splice_sites.BRANCH[0]
    scores = sites.branch_scores(codes, np.array([first - 1, first, last, last + 1]))
    assert scores[1] == scores[2] == sites.branch[spliced_genome.BRANCH]
    assert max(scores[0], scores[3]) < scores[1]
    assert sites.branch_scores(codes[:3], np.array([1, 2])).tolist() == [sites.no_branch] * 2


def test_few_introns_teach_nothing() -> None:
    letters, _, genes = spliced_genome.make(40)
    assert splice_sites.learn([("c", letters)], genes[:29]) is None
    assert splice_sites.learn([("c", letters)], genes[:30]) is not None
    assert splice_sites.learn([("other", letters)], genes) is None


def test_copies_of_an_intron_count_once() -> None:
    letters, _, genes = spliced_genome.make(31)
    twice = [*genes, *(replace(gene, chromosome="d") for gene in genes)]
    learnt = splice_sites.learn([("c", letters), ("d", letters)], twice)
    assert learnt is not None
    assert learnt.learnt_from == 31


def test_introns_outside_of_coding_sequences_do_not_count() -> None:
    letters, _, genes = spliced_genome.make(40)
    untranslated = [
        replace(gene, transcripts=(Transcript("t", gene.transcripts[0].exons, gene.transcripts[0].cds[:1]),))
        for gene in genes
    ]
    assert splice_sites.learn([("c", letters)], untranslated) is None


def test_introns_of_genes_without_a_beginning_alone_teach_nothing() -> None:
    letters, _, genes = spliced_genome.make(40)
    partial = [
        replace(gene, transcripts=tuple(replace(one, is_partial_start=True) for one in gene.transcripts))
        for gene in genes
    ]
    assert splice_sites.learn([("c", letters)], partial) is None
    assert splice_sites.learn([("c", letters)], [*genes[:1], *partial[1:]]) is not None


def test_a_document_gives_the_same_sites_again(sites: SpliceSites) -> None:
    document = json.loads(json.dumps(sites.document()))
    assert SpliceSites.of_document(document) == sites
    for broken in ({"donor": [[1.0]]}, {"lowest_donor": None}, {"branch": {"ACG": 1.0}}, {"introns": [9, 3]}):
        with pytest.raises(ValueError, match="not splice sites"):
            SpliceSites.of_document(document | broken)
