"""Random genes on two short sequences, for tests against slow, obvious scorers."""

from __future__ import annotations

import numpy as np

from pipelines.gene_models.model import Gene, Spans, Transcript

LENGTHS = {"a": 90, "b": 40}


def genes(seed: int, count: int, *, like: list[Gene] | None = None) -> list[Gene]:
    """Genes that overlap, on both strands or none, with isoforms, exons of one base and coding parts.

    Args:
        seed: chooses them.
        count: number of genes.
        like: genes of which some are taken over whole or with one transcript less, so that much is equal.
    """
    generator = np.random.default_rng(seed)
    return [_gene(generator, f"{seed}.{number}", like or []) for number in range(count)]


def _gene(generator: np.random.Generator, name: str, like: list[Gene]) -> Gene:
    if like and generator.random() < 0.5:
        model = like[int(generator.integers(len(like)))]
        transcripts = model.transcripts
        if len(transcripts) > 1 and generator.random() < 0.3:
            transcripts = transcripts[1:]
        strand = model.strand if generator.random() < 0.9 else "-"
        return Gene(name, model.chromosome, model.start, model.end, strand, transcripts)
    chromosome = str(generator.choice(["a", "a", "b", "elsewhere"]))
    length = LENGTHS.get(chromosome, 90)
    start = int(generator.integers(0, length - 1))
    end = int(min(length, start + generator.integers(1, 40)))
    strand = str(generator.choice(["+", "-", "+", "-", "."]))
    transcripts = tuple(
        _transcript(generator, f"{name}.{number}", start, end) for number in range(generator.integers(0, 4))
    )
    if transcripts and generator.random() < 0.7:
        start, end = min(one.start for one in transcripts), max(one.end for one in transcripts)
    return Gene(name, chromosome, start, end, strand, transcripts)


def _transcript(generator: np.random.Generator, name: str, start: int, end: int) -> Transcript:
    borders = sorted({start, end, *generator.integers(start, end + 1, 2 * int(generator.integers(0, 4))).tolist()})
    exons: Spans = tuple(zip(borders[::2], borders[1::2], strict=False))
    first, last = sorted(generator.integers(start, end + 1, 2).tolist())
    cds = tuple((max(low, first), min(high, last)) for low, high in exons if max(low, first) < min(high, last))
    return Transcript(name, exons, cds if generator.random() < 0.7 else ())
