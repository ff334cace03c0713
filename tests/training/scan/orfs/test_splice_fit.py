from __future__ import annotations

import io
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.gene_models import coding, validity, writer
from tests.training.scan.orfs import spliced_genome
from training.scan.orfs import models, splice_fit
from training.scan.orfs.settings import FrameSettings
from training.scan.orfs.splice_sites import SpliceSites
from training.scan.orfs.writing import ModelFiles, as_gene

GRID = spliced_genome.GRID


@pytest.fixture(scope="module")
def sites() -> SpliceSites:
    letters, scores, genes = spliced_genome.make()
    learnt = splice_fit.learn([("c", letters, scores)], genes, GRID, FrameSettings())
    assert learnt is not None
    return learnt


def test_genes_with_an_intron_are_found_on_another_sequence_by_what_was_learnt(sites: SpliceSites) -> None:
    letters, scores, genes = spliced_genome.make(40, seed=9)
    with_sites = FrameSettings(splice=sites)
    found, _ = models.find(letters, scores, GRID, with_sites)
    called = [as_gene("c", f"g{number}", found, number) for number in range(len(found.starts))]
    exact = {(one.strand, one.transcripts[0].cds) for one in called} & {
        (one.strand, one.transcripts[0].cds) for one in genes
    }
    assert len(exact) > len(genes) / 2
    for gene in called:
        read = coding.coding_letters(gene, gene.transcripts[0], lambda _, start, end: letters[start:end])
        assert validity.defects(gene.transcripts[0], read, with_sites.code()) == ()
    fit = splice_fit.evaluate([("c", letters, scores)], genes, GRID, FrameSettings(), sites)
    assert fit.exact_f1 == pytest.approx(2 * len(exact) / (len(called) + len(genes)))


def test_without_splice_sites_no_frame_has_an_intron() -> None:
    letters, scores, _ = spliced_genome.make(20)
    found, _ = models.find(letters, scores, GRID, FrameSettings())
    assert len(found.starts) > 10
    assert not found.has_intron.any()
    assert not found.added.any()


def test_genes_that_the_genetic_code_does_not_translate_teach_nothing(sites: SpliceSites) -> None:
    letters, scores, genes = spliced_genome.make()
    other = letters.copy()
    # Without its start codon a gene is not one of this code.
    for gene in genes[:10]:
        other[gene.start : gene.start + 3] = other[gene.end - 3 : gene.end] = ord("C")
    learnt = splice_fit.learn([("c", other, scores)], genes, GRID, FrameSettings())
    assert learnt is not None
    assert (sites.learnt_from, learnt.learnt_from) == (60, 50)


def test_good_splice_sites_speak_for_an_intron(sites: SpliceSites) -> None:
    assert sites.weights.sites > 0
    assert sites.weights.constant != 0


def test_few_introns_or_few_candidates_that_are_right_give_no_splice_sites() -> None:
    letters, scores, genes = spliced_genome.make(40)
    assert splice_fit.learn([("c", letters, scores)], genes[:20], GRID, FrameSettings()) is None
    assert splice_fit.learn([("c", letters, np.zeros_like(scores))], genes, GRID, FrameSettings()) is None


def test_the_record_of_settings_names_splice_sites_by_a_digest_and_is_the_old_one_without(sites: SpliceSites) -> None:
    plain, record = FrameSettings().record(), FrameSettings(splice=sites).record()
    assert "splice" not in plain
    assert record["splice"]["learnt_from"] == 60
    assert {name: value for name, value in record.items() if name != "splice"} == plain
    other = FrameSettings(splice=replace(sites, longest_first=7)).record()
    assert other["splice"]["sha256"] != record["splice"]["sha256"]


def written(sites: SpliceSites) -> tuple[np.ndarray, ModelFiles, list[str]]:
    """Letters, and the files of the models of a made-up genome as text."""
    letters, scores, _ = spliced_genome.make(40, seed=9)
    chosen = FrameSettings(splice=sites)
    found, values = models.find(letters, scores, GRID, chosen)
    texts = [io.StringIO() for _ in range(5)]
    files = ModelFiles(texts[0], texts[1], texts[2:], chosen.code())
    files.write("c", letters, found, values, [])
    return letters, files, [text.getvalue() for text in texts]


def test_a_model_with_an_intron_is_written_with_two_exons_and_one_protein(sites: SpliceSites) -> None:
    _, files, (gff3, bed, proteins, cds, _) = written(sites)
    rows = [row.split("\t") for row in gff3.splitlines()]
    count = files.counts.complete + files.counts.partial
    assert 0 < files.counts.spliced == sum(row[2] == "CDS" for row in rows) - count
    assert files.counts.document()["spliced"] == files.counts.spliced
    assert {row[7] for row in rows if row[2] == "CDS"} == {"0", "1", "2"}
    assert len(bed.splitlines()) == proteins.count(">") == cds.count(">") == count
    assert "*" not in proteins


@pytest.mark.full
def test_gt_takes_models_with_introns_and_gffread_reads_the_same_proteins(sites: SpliceSites, tmp_path: Path) -> None:
    for program in ("gt", "gffread"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    letters, _, (rows, _, proteins, _, _) = written(sites)
    gff3, fasta = tmp_path / "g.gff3", tmp_path / "g.fa"
    gff3.write_text("".join(writer.gff3_header({"c": len(letters)})) + rows)
    fasta.write_text(writer.fasta("c", "", letters.tobytes().decode()))
    assert "valid" in subprocess.run(["gt", "gff3validator", gff3], capture_output=True, text=True, check=True).stdout
    subprocess.run(["gffread", gff3, "-g", fasta, "-y", tmp_path / "y.fa"], check=True, capture_output=True)

    def records(text: str) -> dict[str, str]:
        return {one.split()[0]: "".join(one.split("\n")[1:]) for one in text.split(">")[1:]}

    assert records((tmp_path / "y.fa").read_text()) == records(proteins)
