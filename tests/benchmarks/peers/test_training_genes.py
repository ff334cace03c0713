from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import pytest

from benchmarks.peers import augustus, training_genes
from pipelines.gene_models.model import Gene, Spans, Transcript

CDS = "ATGAAACCCTAA"


def gene(name: str, strand: str, *spans: Spans) -> Gene:
    transcripts = tuple(Transcript(f"{name}.{number}", cds, cds) for number, cds in enumerate(spans))
    start, end = min(cds[0][0] for cds in spans), max(cds[-1][1] for cds in spans)
    return Gene(name, "I", start, end, strand, transcripts)


def records(text: str) -> list[tuple[str, str]]:
    """Location and letters of every record."""
    found = []
    for record in text.split("//\n")[:-1]:
        place = "".join(re.findall(r"^ {5}CDS {13}(.*(?:\n {21}[^/].*)*)", record, re.MULTILINE)[0].split())
        rows = record.partition("ORIGIN\n")[2]
        found.append((place, re.sub(r"[\d\s]", "", rows)))
    return found


def located(place: str, letters: str) -> str:
    """The bases at a location, read independently of the writer."""
    spans = re.findall(r"(\d+)\.\.(\d+)", place)
    joined = "".join(letters[int(start) - 1 : int(end)] for start, end in spans)
    if place.startswith("complement"):
        joined = joined[::-1].translate(str.maketrans("acgt", "tgca"))
    return joined


def written(
    genes: list[Gene], sequence: str, annotated: list[Gene] | None = None
) -> tuple[str, training_genes.Written]:
    stream = io.StringIO()
    counts = training_genes.write(stream, genes, genes if annotated is None else annotated, {"I": sequence})
    return stream.getvalue(), counts


@pytest.mark.parametrize("strand", ["+", "-"])
def test_a_record_locates_the_coding_sequence(strand: str) -> None:
    sequence = "C" * 40 + "ATGAAA" + "GTAAGTTTAG" + "CCCTAA" + "C" * 40
    spans: Spans = ((40, 46), (56, 62))
    if strand == "-":
        sequence = training_genes.reverse_complement(sequence)
        spans = tuple((len(sequence) - end, len(sequence) - start) for start, end in reversed(spans))
    text, counts = written([gene("a", strand, spans)], sequence)
    [(place, letters)] = records(text)
    assert located(place, letters).upper() == CDS
    assert counts.records == 1


def test_a_record_with_many_exons_continues_its_location_on_further_lines() -> None:
    codons = "ATG" + "AAA" * 38 + "TAA"
    sequence = "C" * 10 + "GTTTAG".join(codons[at : at + 3] for at in range(0, len(codons), 3)) + "C" * 10
    spans = tuple((10 + 9 * number, 13 + 9 * number) for number in range(40))
    text, _ = written([gene("a", "+", spans)], sequence)
    [(place, letters)] = records(text)
    assert located(place, letters).upper() == codons
    assert max(map(len, text.splitlines())) < 80


def test_the_longest_complete_transcript_is_taken() -> None:
    sequence = "C" * 20 + "ATGATGAAATAA" + "CCC" + "C" * 20
    whole, short, beyond = ((20, 32),), ((23, 32),), ((20, 35),)
    text, _ = written([gene("a", "+", short, whole, beyond)], sequence)
    [(place, letters)] = records(text)
    assert located(place, letters) == "atgatgaaataa"


@pytest.mark.parametrize("cds", ["ATGAAATA", "CTGAAATAA", "ATGAAAAAA", "ATGTAAAAATAA", "ATGNAATAA", "TAA"])
def test_a_gene_without_a_complete_coding_sequence_is_left_out_and_counted(cds: str) -> None:
    sequence = "C" * 20 + cds + "C" * 20 + CDS + "C" * 20
    broken, complete = ((20, 20 + len(cds)),), ((40 + len(cds), 52 + len(cds)),)
    _, counts = written([gene("broken", "+", broken), gene("whole", "+", complete)], sequence)
    assert counts.records == 1
    assert dict(counts.left_out) == {"no complete CDS": 1}


def test_the_sequence_around_a_gene_ends_at_the_next_gene() -> None:
    sequence = "G" * 100 + CDS * 50 + "G" * 100
    own, before, after = ((148, 160),), ((136, 142),), ((161, 170),)
    genes = [gene("own", "+", own)]
    others = [*genes, gene("before", "-", before), gene("after", "+", after)]
    text, _ = written(genes, sequence, others)
    [(place, letters)] = records(text)
    # Half of the 12 bases of a gene on each side; after it only one is free.
    assert place == "7..18"
    assert letters == sequence[142:161].lower()


@pytest.mark.full
@pytest.mark.skipif(
    shutil.which("etraining") is None, reason="etraining is not installed: scripts/setup-peers.sh does it"
)
def test_etraining_takes_every_record_and_its_stop_codons_become_parameters(tmp_path: Path) -> None:
    inside = ["ATG" + "GCTGAACTTAAAGGT" * (20 + number % 7) + stop for number, stop in enumerate(["TAA", "TGA"] * 60)]
    spacer = "ATTATATTCATCTTAACATT" * 20
    sequence, genes = spacer, []
    for number, cds in enumerate(inside):
        genes.append(gene(f"g{number}", "+", ((len(sequence), len(sequence) + len(cds)),)))
        sequence += cds + spacer
    with (tmp_path / "train.gb").open("w") as stream:
        assert training_genes.write(stream, genes, genes, {"I": sequence}).records == 120
    augustus.retrain("made_up", tmp_path / "train.gb", tmp_path / "config")
    parameters = (tmp_path / "config" / "species" / "made_up" / "made_up_parameters.cfg").read_text()
    assert re.search(r"^single exon : 120$", (tmp_path / "train.log").read_text(), re.MULTILINE)
    assert re.search(r"^/Constant/amberprob\s+0\b", parameters, re.MULTILINE)
    assert re.search(r"^/Constant/ochreprob\s+0\.5\b", parameters, re.MULTILINE)
