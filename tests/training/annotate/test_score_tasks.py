"""Scores of tiles, by a small network of convolutions: what it sees reaches 100 bases to either side at most."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines.genome import fasta, sequence
from pipelines.genome.fasta import Genome
from pipelines.progress import Silent
from pipelines.stores import worker_folder
from pipelines.tokens import centred
from pipelines.tokens.tokenizer import Tokenizer
from training import structure
from training.annotate import score_tasks, scores, tiles
from training.annotate.scorer import StructureScorer
from training.annotate.tiles import Piece, Tiling
from training.config import ModelConfig
from training.structure import inference

TOKENIZER = Tokenizer(3, 1, "anchor")
CONFIG = ModelConfig(
    kind="cnn", embedding=8, hidden=8, layers=1, stem=8, stem_stride=9, base_channels=8, base_layers=1, dropout=0.0
)
LENGTHS = {"long": 5000, "gap": 3000, "tiny": 2, "short": 300, "one": 1}


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    generator = np.random.default_rng(5)
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    with path.open("w") as stream:
        for name, length in LENGTHS.items():
            letters = generator.choice(list("ACGT"), length)
            if name == "gap":
                letters[500:2500] = "N"
            stream.write(f">{name}\n{''.join(letters)}\n")
    return fasta.open_genome("g", path, Silent())


def scorer(budget: int | None = None, precision: str = "fp32") -> StructureScorer:
    model = structure.fresh(CONFIG, TOKENIZER, 0, utr=False).eval()
    return StructureScorer(model, TOKENIZER, budget, precision=precision)


def whole(genome: Genome, name: str, precision: str = "fp32") -> scores.Packed:
    """The scores of one pass over a whole sequence."""
    codes = sequence.base_codes(genome.sequence(name, 0, LENGTHS[name]))
    ((_, packed),) = scorer(precision=precision)([centred.encode(TOKENIZER, codes)])
    return packed


def test_scores_in_bf16_are_near_those_in_fp32_and_not_the_same(genome: Genome) -> None:
    difference = np.abs(whole(genome, "long", "bf16").astype(int) - whole(genome, "long"))
    assert 0 < difference.max() <= 3


def test_tiles_have_the_scores_of_the_whole_model(genome: Genome, monkeypatch: pytest.MonkeyPatch) -> None:
    tiling = Tiling(window=900, step=630, context=135, stride=9)
    pieces = [Piece("long", 5000, 0, tiling.tiles(5000))]
    (by_tile,) = score_tasks.score_pieces(pieces, genome, tiling, scorer())
    monkeypatch.setattr(inference, "fits", lambda model: False)
    (by_batch,) = score_tasks.score_pieces(pieces, genome, tiling, scorer())
    assert np.abs(by_tile.astype(int) - by_batch).max() <= 1


@pytest.mark.parametrize("budget", [1, 3000, None])
def test_joined_tiles_are_one_pass_over_a_sequence_where_context_covers_what_the_network_sees(
    genome: Genome, budget: int | None
) -> None:
    tiling = Tiling(window=900, step=630, context=135, stride=9)
    tasks = tiles.plan_tasks(LENGTHS, tiling)
    joined = score_tasks.score_pieces([piece for task in tasks for piece in task], genome, tiling, scorer(budget))
    for packed, name in zip(joined, LENGTHS, strict=True):
        expected = whole(genome, name)
        assert packed.shape == expected.shape == (2, scores.PLANES, LENGTHS[name])
        known = np.ones(LENGTHS[name], np.bool_)
        if name == "gap":
            # Tiles of N alone are not computed.
            known[500:2500] = False
        # Another batch may round the last digit of a float otherwise, and so a step.
        difference = np.abs(packed.astype(int) - expected)[..., known]
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.001


def test_less_context_than_the_network_sees_shows_at_the_borders_of_tiles(genome: Genome) -> None:
    tiling = Tiling(window=900, step=900, context=0, stride=9)
    (packed,) = score_tasks.score_pieces([Piece("long", 5000, 0, tiling.tiles(5000))], genome, tiling, scorer())
    assert (np.abs(packed.astype(int) - whole(genome, "long")) > 1).any()


def test_tiles_of_unknown_bases_are_not_computed_and_have_no_gene(genome: Genome) -> None:
    tiling = Tiling(window=900, step=630, context=135, stride=9)
    (packed,) = score_tasks.score_pieces([Piece("gap", 3000, 0, tiling.tiles(3000))], genome, tiling, scorer())
    assert np.array_equal(packed[..., 1000:1200], scores.certainly_intergenic(200))


def test_the_table_of_a_task_comes_back_once_its_file_is_there(genome: Genome, tmp_path: Path) -> None:
    tiling = Tiling(window=900, step=630, context=135, stride=9)
    tasks = tiles.plan_tasks(LENGTHS, tiling)
    mapper = score_tasks.ScoreTasks(scorer(), genome, tiling, tasks, worker_folder.of(tmp_path), False)
    table = pa.table({"task": [0]})
    assert mapper(table).equals(table)
    assert scores.read(score_tasks.score_path(tmp_path, 0), 3, 300).shape == (2, scores.PLANES, 300)
