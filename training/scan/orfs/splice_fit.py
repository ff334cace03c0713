"""Splice sites and their weights, from the annotation of the sequences that a model was trained on.

Validation sequences of a genome with few introns have too few to learn from. The weights are a logistic regression over
the candidates of two exons: right is one that is an annotated coding sequence, base for base.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipelines.gene_models import coding, validity
from pipelines.gene_models.genetic_code import GeneticCode
from pipelines.gene_models.model import Gene, Transcript
from pipelines.genome.sequence import Bytes
from training.scan.grid import Grid
from training.scan.orfs import candidates, fit, splice_sites, spliced_candidates
from training.scan.orfs.fit import Fit
from training.scan.orfs.settings import FrameSettings
from training.scan.orfs.splice_sites import DIGITS, SpliceSites, SpliceWeights
from training.scan.scores import STRANDS, Scores

# Candidates that are right, at least, for weights.
FEWEST_RIGHT = 20
Scanned = Sequence[tuple[str, Bytes, Scores]]
"""Name, letters and scores of shape (2, bins) of sequences."""


def learn(sequences: Scanned, genes: Sequence[Gene], grid: Grid, settings: FrameSettings) -> SpliceSites | None:
    """Learn splice sites and fit their weights; None if there are too few introns for either.

    Args:
        sequences: that the model was trained on.
        genes: annotated genes; those on other sequences do not count.
        grid: window and stride.
        settings: how frames are found, with the weights of frames.
    """
    from sklearn.linear_model import LogisticRegression

    genes = _translated(sequences, genes, settings.code())
    sites = splice_sites.learn(((name, letters) for name, letters, _ in sequences), genes)
    if sites is None:
        return None
    structures = fit.coding_structures(genes, {name for name, *_ in sequences})
    values, labels = [np.empty((0, 4))], [np.empty(0, np.bool_)]
    for name, letters, scores in sequences:
        found, figures = spliced_candidates.find(letters, scores, grid, settings, sites)
        rows = zip(found.is_reverse.tolist(), range(len(found.starts)), strict=True)
        is_right = [(name, STRANDS[reverse], found.spans(index)) in structures for reverse, index in rows]
        values.append(figures)
        labels.append(np.array(is_right, np.bool_))
    target = np.concatenate(labels)
    if not FEWEST_RIGHT <= int(target.sum()) < len(target):
        return None
    regression = LogisticRegression(max_iter=3000).fit(np.concatenate(values), target)
    constant, *others = (round(float(value), DIGITS) for value in (*regression.intercept_, *regression.coef_[0]))
    return replace(sites, weights=SpliceWeights(constant, *others))


def _translated(sequences: Scanned, genes: Sequence[Gene], code: GeneticCode) -> list[Gene]:
    """The genes on some sequences with the transcripts that are whole in a genetic code.

    Genes of an organelle among them are mostly not: they have another code, and introns of another kind.
    """
    letters_of = {name: letters for name, letters, _ in sequences}

    def fetch(name: str, start: int, end: int) -> Bytes:
        return letters_of[name][start:end]

    def is_whole(gene: Gene, transcript: Transcript) -> bool:
        read = coding.coding_letters(gene, transcript, fetch)
        return bool(transcript.cds) and not validity.defects(transcript, read, code)

    return [
        replace(gene, transcripts=tuple(one for one in gene.transcripts if is_whole(gene, one)))
        for gene in genes
        if gene.chromosome in letters_of
    ]


def evaluate(sequences: Scanned, genes: Sequence[Gene], grid: Grid, settings: FrameSettings, sites: SpliceSites) -> Fit:
    """How well frames of one and of two exons agree with the annotation; arguments as for `learn`."""
    found = {
        name: candidates.join(
            [
                candidates.find(letters, scores, grid, settings),
                spliced_candidates.find(letters, scores, grid, settings, sites)[0],
            ]
        )
        for name, letters, scores in sequences
    }
    return fit.evaluate(found, fit.coding_structures(genes, found), settings)
