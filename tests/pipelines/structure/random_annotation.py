"""Random sequences with genes of both strands: most of them read, some do not, and some overlap."""

from __future__ import annotations

import random

from pipelines.gene_models.model import Gene, Transcript
from pipelines.gene_models.remarks import Remark

_STOPS = ("TAA", "TAG", "TGA")
_PAIRS = [("GT", "AG")] * 6 + [("GC", "AG"), ("AT", "AC"), ("GA", "AG"), ("GT", "AC")]
_COMPLEMENT = str.maketrans("ACGT", "TGCA")
_REMARKS: tuple[Remark, ...] = ("exception", "trans_splicing", "ribosomal_slippage", "partial")


def annotation(seed: int, bases: int = 300, count: int = 5) -> tuple[str, list[Gene]]:
    """Letters and genes of one chromosome."""
    draw = random.Random(seed)
    letters = draw.choices("ACGT", k=bases)
    genes = [_gene(draw, f"g{number}", letters) for number in range(count)]
    for _ in range(draw.choice([0, 0, 3])):
        letters[draw.randrange(bases)] = "N"
    return "".join(letters), genes


def _gene(draw: random.Random, name: str, letters: list[str]) -> Gene:
    strand = draw.choice("+-")
    kind = draw.choice(["coding"] * 8 + ["noncoding", "pseudogene", "no_cds"])
    exons, cds, text = _structure(draw)
    start = draw.randrange(max(len(letters) - len(text), 1))
    if strand == "-":
        exons, cds = _mirrored(exons, len(text)), _mirrored(cds, len(text))
        text = text[::-1].translate(_COMPLEMENT)
    exons, cds = _moved(exons, start), _moved(cds, start)
    letters[start : start + len(text)] = text
    strand = draw.choice([strand] * 20 + ["."])
    if kind != "coding":
        of_type = {"noncoding": "ncrna_gene", "pseudogene": "pseudogene", "no_cds": "gene"}[kind]
        return Gene(name, "I", exons[0][0], exons[-1][1], strand, (Transcript(name, exons),), kind=of_type)
    remarks = frozenset({draw.choice(_REMARKS)}) if draw.random() < 0.1 else frozenset()
    phase = draw.choice([0] * 20 + [1, 2])
    transcript = Transcript(
        name, exons, cds, phase, is_partial_start=phase > 0, is_partial_stop=draw.random() < 0.05, kind="mrna"
    )
    if draw.random() < 0.1:
        cds = tuple((max(low - draw.choice([0, 1, 5]), 0), high) for low, high in cds)
        transcript = Transcript(name, cds, cds, kind="mrna")
    return Gene(name, "I", exons[0][0], exons[-1][1], strand, (transcript,), kind="gene", remarks=remarks)


def _structure(draw: random.Random) -> tuple[tuple, tuple, str]:
    """Exons, CDS and letters of a gene that is read forward from 0."""
    codons = ["".join(draw.choices("ACGT", k=3)) for _ in range(draw.randrange(1, 12))]
    reading = ["ATG", *(codon for codon in codons if codon not in _STOPS), draw.choice(_STOPS)]
    coding = "".join(reading)
    cuts = sorted(draw.sample(range(1, len(coding)), draw.choice([0, 0, 1, 2])))
    exons: list[tuple[int, int]] = []
    cds: list[tuple[int, int]] = []
    text = ""
    for number, (low, high) in enumerate(zip([0, *cuts], [*cuts, len(coding)], strict=True)):
        if number:
            text += _intron(draw)
        before = "".join(draw.choices("ACGT", k=draw.choice([0, 0, 4]))) if number == 0 else ""
        after = "".join(draw.choices("ACGT", k=draw.choice([0, 0, 4]))) if high == len(coding) else ""
        first = len(text)
        text += before + coding[low:high] + after
        exons.append((first, len(text)))
        cds.append((first + len(before), len(text) - len(after)))
    if draw.random() < 0.3:
        exons.append((len(text) + 12, len(text) + 15))
        text += _intron(draw, 12) + "AAA"
    return tuple(exons), tuple(cds), text


def _intron(draw: random.Random, length: int | None = None) -> str:
    donor, acceptor = draw.choice(_PAIRS)
    inner = (length or draw.choice([10, 11, 20, 5])) - 4
    return donor + "".join(draw.choices("ACGT", k=inner)) + acceptor


def _mirrored(spans: tuple, length: int) -> tuple:
    return tuple((length - high, length - low) for low, high in reversed(spans))


def _moved(spans: tuple, start: int) -> tuple:
    return tuple((low + start, high + start) for low, high in spans)
