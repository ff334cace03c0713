from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pybedtools
import pytest
import torch

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import InputError, UsageError
from pipelines.progress import Silent
from pipelines.tokens.tokenizer import Tokenizer
from tests.conftest import GenomeFiles
from tests.training.small_bundle import small_class_bundle
from training import models
from training.bundle.bundle import Bundle
from training.config import ModelConfig
from training.distributed.nodes.actor_pool import Pool
from training.engine.scoring import probabilities
from training.inference import predict
from training.inference.scorer import ModelScorer


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    torch.manual_seed(0)
    tokenizer = Tokenizer(3, 1, "anchor")
    model = models.make(ModelConfig(embedding=8, hidden=8, stem=8), tokenizer.vocabulary_size).eval()
    return Bundle(model, tokenizer, {"threshold": 0.5})


def scored(bundle: Bundle, genome: GenomeFiles, intervals: Path) -> predict.Prediction:
    selected = predict.read_intervals(genome.fasta, intervals, ["gene"], Silent())
    return predict.predict(selected, ModelScorer(bundle.model, bundle.tokenizer, 4096), 0.5, Silent())


def test_every_gene_has_the_probability_of_its_own_sequence(bundle: Bundle, genome: GenomeFiles) -> None:
    prediction = scored(bundle, genome, genome.annotation)
    assert len(prediction.features) == len(genome.genes)
    flip = str.maketrans("ACGTacgtN", "TGCAtgcaN")
    for feature, probability in zip(prediction.features, prediction.probabilities, strict=True):
        text = genome.sequences[feature.chromosome][feature.start : feature.end]
        text = text.translate(flip)[::-1] if feature.strand == "-" else text
        tokens = bundle.tokenizer.encode(text)
        alone = probabilities(bundle.model, tokens, np.array([len(tokens)]), 4096)[0]
        assert abs(alone - probability) < 1e-5


@pytest.mark.ray
def test_probabilities_are_the_same_by_a_pool_of_actors_and_in_any_batches(
    bundle: Bundle, genome: GenomeFiles, ray_session: Any
) -> None:
    selected = predict.read_intervals(genome.fasta, genome.annotation, ["gene"], Silent())
    alone = predict.predict(selected, ModelScorer(bundle.model, bundle.tokenizer, 65_536), 0.5, Silent())
    for budget, score_tables in ((1, predict.score_locally), (2_000, predict.score_on(Pool(2, use_gpu=False)))):
        scorer = ModelScorer(bundle.model, bundle.tokenizer, budget)
        prediction = predict.predict(selected, scorer, 0.5, Silent(), score_tables)
        np.testing.assert_allclose(prediction.probabilities, alone.probabilities, atol=1e-6, rtol=0)


def test_sequences_are_scored_as_they_are_written(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "some.fa"
    path.write_text(">one\nACGTACGTGGTTACA\n>empty\n>two words\nTTGACA\n")
    selected = predict.read_sequences(path, Silent())
    prediction = predict.predict(selected, ModelScorer(bundle.model, bundle.tokenizer), 0.5, Silent())
    assert [(feature.chromosome, feature.start, feature.end) for feature in prediction.features] == [
        ("one", 0, 15),
        ("two", 0, 6),
    ]
    assert prediction.skipped == {"empty_sequence": 1}
    tokens = bundle.tokenizer.encode("ACGTACGTGGTTACA")
    alone = probabilities(bundle.model, tokens, np.array([len(tokens)]), 4096)[0]
    assert prediction.probabilities[0] == pytest.approx(alone, abs=1e-6)


def test_both_files_hold_every_interval_sorted_and_read_back(
    bundle: Bundle, genome: GenomeFiles, tmp_path: Path
) -> None:
    prediction = scored(bundle, genome, genome.annotation)
    bed_path, tsv_path = predict.write(prediction, tmp_path / "scores.bed")
    rows = list(pybedtools.BedTool(str(bed_path)))
    assert len(rows) == len(prediction.features)
    assert all(0 <= int(row.score) <= 1000 for row in rows)
    positions = [(row.chrom, row.start) for row in rows]
    assert positions == sorted(positions)
    lines = [line.split("\t") for line in tsv_path.read_text().splitlines()]
    assert tuple(lines[0]) == predict.COLUMNS
    assert [(line[0], int(line[1])) for line in lines[1:]] == positions
    assert all((float(line[6]) >= 0.5) == (line[7] == "gene") for line in lines[1:])


def test_intervals_that_cannot_be_scored_are_counted(bundle: Bundle, genome: GenomeFiles, tmp_path: Path) -> None:
    path = tmp_path / "some.bed"
    path.write_text("chr1\t10\t99\nchrX\t10\t99\nchr1\t11990\t99999\n")
    assert scored(bundle, genome, path).skipped == {"unknown_sequence": 1, "past_the_end": 1}


def test_no_shared_name_is_an_error_that_shows_both_sides(bundle: Bundle, genome: GenomeFiles, tmp_path: Path) -> None:
    path = tmp_path / "some.bed"
    path.write_text("chrX\t10\t99\n")
    with pytest.raises(InputError, match="the intervals have chrX, the FASTA has chr1"):
        scored(bundle, genome, path)


def test_an_output_of_another_ending_is_refused() -> None:
    with pytest.raises(UsageError, match="neither"):
        predict.prediction_files(Path("scores.csv"))


def gff3(path: Path, *rows: tuple[str, str]) -> Path:
    """A GFF3 file of genes at the same position, one for each strand and id."""
    lines = [f"chr1\ttest\tgene\t1001\t1200\t.\t{strand}\t.\tID={name}\n" for strand, name in rows]
    path.write_text("".join(lines))
    return path


def test_a_question_mark_for_a_strand_is_read_forward_with_a_warning(
    bundle: Bundle, genome: GenomeFiles, tmp_path: Path
) -> None:
    intervals, progress = gff3(tmp_path / "some.gff3", ("?", "a"), ("+", "b"), ("?", "c"), ("-", "d")), Silent()
    selected = predict.read_intervals(genome.fasta, intervals, ["gene"], progress)
    prediction = predict.predict(selected, ModelScorer(bundle.model, bundle.tokenizer), 0.5, progress)
    assert [feature.strand for feature in prediction.features] == [".", "+", ".", "-"]
    assert prediction.probabilities[0] == pytest.approx(prediction.probabilities[1])
    assert progress.warnings == [f"{intervals}: 2 intervals of unknown strand (?) are read forward"]


def test_control_characters_in_a_name_break_no_line(bundle: Bundle, genome: GenomeFiles, tmp_path: Path) -> None:
    prediction = scored(bundle, genome, gff3(tmp_path / "some.gff3", ("+", "a%09b%0Ac%C2%85d"), ("-", "e")))
    bed_path, tsv_path = predict.write(prediction, tmp_path / "scores.bed")
    for path, columns, name in ((bed_path, 6, 3), (tsv_path, len(predict.COLUMNS), 4)):
        rows = [line.split("\t") for line in path.read_text().splitlines()]
        assert {len(row) for row in rows} == {columns}
        assert [row[name] for row in rows[-2:]] == ["a b c d", "e"]


def test_names_as_written_match_and_rows_that_give_no_interval_are_counted(tmp_path: Path) -> None:
    fasta, intervals = tmp_path / "g.fa", tmp_path / "a.gtf"
    fasta.write_text(">chr%2C1\nACGTACGTAC\n>b,2\nACGTACGTAC\n")
    attributes = {"chr%2C1": "gene_id a", "b%2C2": "gene_id b", "chr%252C1": "."}
    intervals.write_text("".join(f"{name}\tx\texon\t1\t9\t.\t+\t.\t{text}\n" for name, text in attributes.items()))
    progress = Silent()
    selected = predict.read_intervals(fasta, intervals, ["gene"], progress)
    assert [(feature.chromosome, feature.gene_id) for feature in selected.features] == [("chr%2C1", "a"), ("b,2", "b")]
    assert any("1 row of the annotation is not used for genes (1 without gene name)" in text for text in progress.notes)


def test_a_model_of_classes_writes_the_most_probable_one_and_a_probability_of_each(
    class_dataset: Path, tmp_path: Path
) -> None:
    bundle = small_class_bundle(TokenDataset.open(class_dataset, "train"))
    path = tmp_path / "some.fa"
    path.write_text(">one\nACGTACGTGGTTACA\n>two\nTTGACATTTT\n")
    selected = predict.read_sequences(path, Silent())
    prediction = predict.predict(selected, ModelScorer(bundle.model, bundle.tokenizer), None, Silent())
    bed, tsv = predict.write_classes(prediction, bundle.config["classes"], tmp_path / "out.tsv")
    header, *rows = (line.split("\t") for line in tsv.read_text().splitlines())
    assert header[6:] == ["class", "probability", "probability:10", "probability:exon", "probability:intron"]
    for row, shares in zip(rows, bundle.score(["ACGTACGTGGTTACA", "TTGACATTTT"]), strict=True):
        assert row[6] == bundle.config["classes"][int(shares.argmax())]
        assert [float(cell) for cell in row[7:]] == pytest.approx([shares.max(), *shares], abs=1e-5)
    assert [line.split("\t")[3] for line in bed.read_text().splitlines()] == [row[6] for row in rows]


@pytest.mark.ray
def test_probabilities_of_classes_are_the_same_by_a_pool_of_actors(
    class_dataset: Path, tmp_path: Path, ray_session: Any
) -> None:
    bundle = small_class_bundle(TokenDataset.open(class_dataset, "train"))
    path = tmp_path / "some.fa"
    path.write_text(">one\nACGTACGTGGTTACA\n>two\nTTGACATTTT\n")
    selected = predict.read_sequences(path, Silent())
    scorer = ModelScorer(bundle.model, bundle.tokenizer)
    alone = predict.predict(selected, scorer, None, Silent())
    pooled = predict.predict(selected, scorer, None, Silent(), predict.score_on(Pool(2, use_gpu=False)))
    np.testing.assert_allclose(pooled.probabilities, alone.probabilities, atol=1e-6, rtol=0)
