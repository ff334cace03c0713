from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import DatasetError
from pipelines.genome import fasta, sequence
from pipelines.genome.fasta import Genome
from pipelines.progress import Silent
from tests.training.annotate import known_genes
from tests.training.annotate.known_genes import KnownGenes
from training.annotate import decode_tasks, decoded, score_tasks, scores, sequence_scores, tiles
from training.annotate.tiles import Piece, Tiling
from training.decoding.decoder import decode
from training.decoding.settings import Settings

GENES = known_genes.genes(40)
TILING = Tiling(window=3600, step=1800, context=900, stride=9)


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    known_genes.write_genome(path, GENES, ["a", "b"])
    return fasta.open_genome("g", path, Silent())


def plan_of_small_tasks(genome: Genome) -> list[list[Piece]]:
    """Every two tiles of a sequence as a task, so that each has a dozen."""
    return [
        [Piece(name, length, first, min(first + 2, TILING.tiles(length)))]
        for name, length in genome.lengths.items()
        for first in range(0, TILING.tiles(length), 2)
    ]


def test_a_sequence_decoded_from_the_files_of_tasks_is_that_decoded_at_once(genome: Genome, tmp_path: Path) -> None:
    tasks = plan_of_small_tasks(genome)
    for number, task in enumerate(tasks):
        packed = score_tasks.score_pieces(task, genome, TILING, KnownGenes.of(GENES))
        scores.write(packed, score_tasks.score_path(tmp_path, number))
    located = sequence_scores.locate(tasks, TILING)
    assert [(one.chromosome, one.length) for one in located] == list(genome.lengths.items())
    found = 0
    for one in located:
        assert len(one.places) > 5
        joined = np.concatenate([packed for _, _, packed in one.read(tmp_path)], axis=-1)
        codes = sequence.base_codes(genome.sequence(one.chromosome, 0, one.length))
        whole = decode(scores.unpack(joined), codes, Settings(), chromosome=one.chromosome)
        assert list(decode_tasks.decode(one, genome, Settings(), tmp_path, Counter())) == whole
        found += len(whole)
    assert found == len(GENES)


def test_sequences_are_decoded_together_up_to_a_number_of_bases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_tasks, "GROUP_BASES", 100)
    lengths = {"a": 40, "b": 50, "c": 20, "d": 500, "e": 1}
    located = sequence_scores.locate(tiles.plan_tasks(lengths, TILING), TILING)
    groups = [[one.chromosome for one in group] for group in decode_tasks.group(located)]
    assert groups == [["a", "b"], ["c"], ["d"], ["e"]]


def test_genes_come_back_from_disk_as_they_were(genome: Genome, tmp_path: Path) -> None:
    tasks = plan_of_small_tasks(genome)
    for number, task in enumerate(tasks):
        packed = score_tasks.score_pieces(task, genome, TILING, KnownGenes.of(GENES))
        scores.write(packed, score_tasks.score_path(tmp_path, number))
    genes = list(decode_tasks.decode(sequence_scores.locate(tasks, TILING)[1], genome, Settings(), tmp_path, Counter()))
    decoded.write(genes, Counter(too_short=3), tmp_path / "genes.jsonl")
    dropped: Counter[str] = Counter(too_short=1)
    again = list(decoded.read(tmp_path / "genes.jsonl", dropped))
    assert dropped == {"too_short": 4}
    assert len(again) == len(genes) == len(GENES) // 2
    for one, other in zip(genes, again, strict=True):
        assert (one.gene.chromosome, one.gene.strand) == (other.gene.chromosome, other.gene.strand)
        for name in ("exons", "cds", "phase", "is_partial_start", "is_partial_stop"):
            assert getattr(one.gene.transcripts[0], name) == getattr(other.gene.transcripts[0], name)
        assert other.support == pytest.approx(one.support, abs=1e-6)
        assert other.exon_support == pytest.approx(one.exon_support, abs=1e-6)


@pytest.mark.parametrize("text", ["", "{", '{"chromosome": "a"}\n', "[]\n"])
def test_a_damaged_file_of_genes_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "genes.jsonl"
    path.write_text(text)
    with pytest.raises(DatasetError, match=r"cannot be read.*delete it and annotate again"):
        list(decoded.read(path, Counter()))
