"""A genome through build, inspect, train, predict and evaluate by `raygene demo`, and every figure computed again.

The second computation shares no code with the first: plain Python over the FASTA file, the annotation, the Parquet
files and `evaluate --predictions`, and scikit-learn for the areas under curves.
"""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import average_precision_score

from tests.cluster.command_line import Finished, experiment, run_alone, run_here
from tests.conftest import GenomeFiles

pytestmark = pytest.mark.ray
K, STRIDE = 3, 2
TOKENIZER = {"k": K, "stride": STRIDE}
Row = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """What the verbs left.

    Attributes:
        folder: holds `dataset`, `run` and what else the demo writes, `e.json` and `p.tsv`.
        finished: the command lines as they ended, by name.
        sequences: name to letters, from the FASTA file.
        rows: of the dataset, by split.
        evaluated: the JSON of `evaluate`.
        predictions: label and probability of every row of test, in order.
    """

    folder: Path
    finished: dict[str, Finished]
    sequences: dict[str, str]
    rows: dict[str, list[Row]]
    evaluated: dict[str, Any]
    predictions: list[tuple[int, float]]

    @property
    def manifest(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / "dataset" / "manifest.json").read_text())
        return content


@pytest.fixture(scope="module")
def run(genome: GenomeFiles, tmp_path_factory: pytest.TempPathFactory, ray_session: Any) -> Run:
    example, folder = tmp_path_factory.mktemp("example"), tmp_path_factory.mktemp("demo")
    for file in (genome.fasta, genome.annotation):
        shutil.copy(file, example)
    files = {"fasta": genome.fasta.name, "annotation": genome.annotation.name}
    path = experiment(genome, example, tokenizer=TOKENIZER, sources=[{"genome": "toy", **files}])
    data, bundle, demo = folder / "dataset", folder / "run" / "bundle", ("demo", "--example", example)
    command_lines: dict[str, tuple[object, ...]] = {
        "demo again": (*demo, "--output", folder),
        "train again": ("train", path, "--dataset", data, "--output", folder / "run"),
        "inspect": ("inspect", data, "--json", folder / "i.json"),
        "evaluate": ("evaluate", bundle, "--dataset", data, "--json", folder / "e.json", "--samples", 200),
    }
    command_lines["evaluate"] += ("--predictions", folder / "p.tsv")
    finished = {"demo": run_alone(*demo, "--output", folder)}
    finished |= {name: run_here(*arguments) for name, arguments in command_lines.items()}
    for done in finished.values():
        assert done.returncode == 0, done.stderr
    predictions = [(int(row["label"]), float(row["probability"])) for row in table(folder / "p.tsv")]
    rows = {split: rows_of(data, split) for split in ("train", "validation", "test")}
    evaluated = json.loads((folder / "e.json").read_text())
    return Run(folder, finished, read_fasta(genome.fasta), rows, evaluated, predictions)


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def rows_of(data: Path, split: str) -> list[Row]:
    rows: list[Row] = []
    for path in sorted((data / f"split={split}").iterdir()):
        rows += pq.ParquetFile(path).read().to_pylist()
    return rows


def read_fasta(path: Path) -> dict[str, str]:
    sequences: dict[str, str] = {}
    for line in path.read_text().splitlines():
        if line.startswith(">"):
            name = line[1:].split()[0]
            sequences[name] = ""
        else:
            sequences[name] += line
    return sequences


def letters_of(row: Row, sequences: dict[str, str]) -> str:
    """The letters of a row as its strand reads them."""
    letters = sequences[row["chromosome"]][row["start"] : row["end"]]
    if row["strand"] == "-":
        letters = letters[::-1].translate(str.maketrans("ACGTacgt", "TGCAtgca"))
    return letters


def words_of(letters: str) -> list[str]:
    """The k-mers every `STRIDE` bases, and a last one flush with the end."""
    starts = list(range(0, len(letters) - K + 1, STRIDE))
    if starts and starts[-1] != len(letters) - K:
        starts.append(len(letters) - K)
    return [letters[start : start + K].upper() for start in starts]


def test_a_genome_goes_from_files_to_scored_intervals(run: Run, genome: GenomeFiles) -> None:
    errors = run.finished["demo"].stderr
    assert "Traceback" not in errors
    assert "ray." not in errors.lower().replace("raygene", "")
    verbs = ("build", "inspect", "train", "predict", "evaluate")
    assert all(f"raygene {verb}" in run.finished["demo"].stdout for verb in verbs)
    for name in ("dataset.html", "report-test.html", "genes.tsv", "genes.bed", "run/bundle/model.safetensors"):
        assert (run.folder / name).stat().st_size > 0
    assert len((run.folder / "run" / "metrics.jsonl").read_text().splitlines()) == 2
    assert {"auroc", "auprc", "mcc", "f1", "precision", "recall", "accuracy", "shortcuts"} <= set(run.evaluated)
    assert json.loads((run.folder / "figures.json").read_text())["auroc"] == run.evaluated["auroc"]
    assert (run.folder / "run" / "report-test.html").exists()
    assert len((run.folder / "genes.tsv").read_text().splitlines()) == 1 + len(genome.genes)


def test_a_second_run_finds_what_is_done(run: Run) -> None:
    assert "up to date" in run.finished["demo again"].stdout + run.finished["demo again"].stderr
    assert "trained already" in run.finished["train again"].stderr


def test_a_dataset_of_another_tokenizer_is_refused(run: Run, genome: GenomeFiles, tmp_path: Path) -> None:
    other = experiment(genome, tmp_path, tokenizer={**TOKENIZER, "k": 4})
    assert run_here("build", other, "--output", tmp_path / "data").returncode == 0
    refused = run_here("evaluate", run.folder / "run/bundle", "--dataset", tmp_path / "data")
    assert refused.returncode == 1
    assert "k 3 against 4" in refused.stderr


def test_the_tokens_of_every_row_are_the_kmers_of_its_strand(run: Run) -> None:
    vocabulary = json.loads((run.folder / "dataset" / "tokenizer.json").read_text())["vocabulary"]
    assert vocabulary[3:] == ["".join(letters) for letters in product("ACGT", repeat=K)]
    number_of = {word: number for number, word in enumerate(vocabulary)}
    unknown = number_of["<unk>"]
    assert {row["strand"] for rows in run.rows.values() for row in rows} == {"+", "-"}
    for rows in run.rows.values():
        for row in rows:
            words = words_of(letters_of(row, run.sequences))
            assert row["tokens"] == [number_of.get(word, unknown) for word in words]
            assert row["token_count"] == len(words)
            assert row["unknown_share"] == pytest.approx(row["tokens"].count(unknown) / len(words), rel=1e-6)


def test_shares_of_gc_and_of_soft_masked_bases_are_those_of_the_letters(run: Run) -> None:
    for row in (row for rows in run.rows.values() for row in rows):
        letters = letters_of(row, run.sequences)
        known = [letter for letter in letters.upper() if letter in "ACGT"]
        gc = sum(letter in "GC" for letter in known) / max(len(known), 1)
        assert row["gc"] == pytest.approx(gc, rel=1e-6)
        assert row["soft_masked_share"] == pytest.approx(sum(map(str.islower, letters)) / len(letters), rel=1e-6)


def test_genes_lie_within_annotated_ones_of_their_strand_and_negatives_overlap_none(
    run: Run, genome: GenomeFiles
) -> None:
    for split, chromosomes in {"train": {"chr1", "chr2"}, "validation": {"chr3"}, "test": {"chr4"}}.items():
        assert {row["chromosome"] for row in run.rows[split]} == chromosomes
        for row in run.rows[split]:
            overlapping = [
                (start, end, strand)
                for chromosome, start, end, strand in genome.genes
                if chromosome == row["chromosome"] and start < row["end"] and row["start"] < end
            ]
            if row["label"] == 0:
                assert overlapping == []
                assert row["source"] == "shuffle"
                continue
            ((start, end, strand),) = overlapping
            assert start <= row["start"] < row["end"] <= end
            assert strand == row["strand"]
            assert row["end"] - row["start"] <= 80


def test_the_manifest_counts_what_the_rows_are(run: Run, genome: GenomeFiles) -> None:
    manifest = run.manifest
    counted: Counter[tuple[Any, ...]] = Counter()
    for split, rows in run.rows.items():
        counted.update((split, row["genome"], row["chromosome"], row["label"], row["source"]) for row in rows)
    keys = ("split", "genome", "chromosome", "label", "source")
    assert {tuple(count[key] for key in keys): count["rows"] for count in manifest["counts"]} == counted
    for file in manifest["files"]:
        tokens = pq.ParquetFile(run.folder / "dataset" / file["path"]).read(["tokens"])["tokens"].to_pylist()
        assert (file["rows"], file["tokens"]) == (len(tokens), sum(map(len, tokens)))
    genes = manifest["genes"]["toy"]
    assert genes["annotated"] == len(genome.genes)
    assert genes["kept"] == sum(row["label"] for rows in run.rows.values() for row in rows)
    assert genes["annotated"] == genes["kept"] + sum(manifest["dropped"]["toy"].values())


def test_predicted_intervals_are_the_annotated_genes_in_order(run: Run, genome: GenomeFiles) -> None:
    lines = [line.split("\t") for line in genome.annotation.read_text().splitlines() if not line.startswith("#")]
    expected = [(line[0], int(line[3]) - 1, int(line[4]), line[6]) for line in lines]
    rows = table(run.folder / "genes.tsv")
    assert [(row["chromosome"], int(row["start"]), int(row["end"]), row["strand"]) for row in rows] == expected
    assert all(0 <= float(row["probability"]) <= 1 for row in rows)


def area_under_roc(labels: Sequence[int], scores: Sequence[float]) -> float:
    """The share of pairs of a gene and a negative in which the gene has the higher score; ties count half."""
    genes = [score for label, score in zip(labels, scores, strict=True) if label]
    others = [score for label, score in zip(labels, scores, strict=True) if not label]
    wins = sum((gene > other) + (gene == other) / 2 for gene in genes for other in others)
    return wins / (len(genes) * len(others))


def figures(rows: Iterable[tuple[int, float]], threshold: float) -> dict[str, float]:
    """The seven figures of labels and probabilities, by their definitions."""
    labels, scores = zip(*rows, strict=True)
    pairs = Counter((label, score >= threshold) for label, score in zip(labels, scores, strict=True))
    hits, missed, false, right = pairs[1, True], pairs[1, False], pairs[0, True], pairs[0, False]
    spread = math.sqrt((hits + false) * (hits + missed) * (right + false) * (right + missed))
    return {
        "auroc": area_under_roc(labels, scores),
        "auprc": float(average_precision_score(labels, scores)),
        "mcc": (hits * right - false * missed) / spread if spread else 0.0,
        "f1": 2 * hits / (2 * hits + false + missed) if hits else 0.0,
        "precision": hits / (hits + false) if hits else 0.0,
        "recall": hits / (hits + missed),
        "accuracy": (hits + right) / len(labels),
    }


def assert_same(written: dict[str, Any], computed: dict[str, float]) -> None:
    assert {name: written[name] for name in computed} == pytest.approx(computed, rel=1e-9, abs=1e-12)


def test_predictions_are_the_rows_of_test_in_order(run: Run) -> None:
    rows, written = run.rows["test"], table(run.folder / "p.tsv")
    for name in ("interval_id", "chromosome", "start", "end", "strand", "label", "source"):
        assert [row[name] for row in written] == [str(row[name]) for row in rows]


def test_the_seven_figures_are_those_of_the_predictions(run: Run) -> None:
    assert_same(run.evaluated, figures(run.predictions, run.evaluated["threshold"]))
    assert run.evaluated["rows"] == len(run.predictions)
    assert run.evaluated["genes"] == sum(label for label, _ in run.predictions)


def test_the_figures_of_slices_are_those_of_their_rows(run: Run) -> None:
    threshold = run.evaluated["threshold"]

    def octave(row: Row) -> str:
        low = 2 ** ((row["end"] - row["start"]).bit_length() - 1)
        return f"{low:,}–{2 * low - 1:,}"

    names: dict[str, Callable[[Row], str]] = {
        "by_genome": lambda row: str(row["genome"]),
        "by_chromosome": lambda row: str(row["chromosome"]),
        "by_length": octave,
    }
    for key, name_of in names.items():
        slices: dict[str, list[tuple[int, float]]] = {}
        for row, prediction in zip(run.rows["test"], run.predictions, strict=True):
            slices.setdefault(name_of(row), []).append(prediction)
        assert {part["name"]: part["rows"] for part in run.evaluated[key]} == {
            name: len(rows) for name, rows in slices.items()
        }
        for part in run.evaluated[key]:
            rows = slices[part["name"]]
            assert part["genes"] == sum(label for label, _ in rows)
            if 0 < part["genes"] < len(rows):
                assert_same(part, figures(rows, threshold))


def test_the_sweep_and_what_is_called_are_those_of_the_predictions(run: Run) -> None:
    threshold = run.evaluated["threshold"]
    for point in run.evaluated["sweep"]:
        computed = figures(run.predictions, point["threshold"])
        assert_same(point, {name: computed[name] for name in ("precision", "recall", "f1", "mcc")})
        assert point["called"] == sum(score >= point["threshold"] for _, score in run.predictions)
    for source, share in run.evaluated["called_by_source"].items():
        pairs = zip(run.rows["test"], run.predictions, strict=True)
        called = [score >= threshold for row, (_, score) in pairs if row["source"] == source]
        assert share == pytest.approx(sum(called) / len(called))
    assert run.evaluated["mistakes"] == {
        "false_positives": sum(score >= threshold for label, score in run.predictions if not label),
        "false_negatives": sum(score < threshold for label, score in run.predictions if label),
    }


def test_calibration_is_that_of_the_predictions(run: Run) -> None:
    calibration = run.evaluated["calibration"]
    squares = [(score - label) ** 2 for label, score in run.predictions]
    assert calibration["brier"] == pytest.approx(sum(squares) / len(squares))
    bins: dict[int, list[tuple[int, float]]] = {}
    for label, score in run.predictions:
        bins.setdefault(min(int(score * 10), 9), []).append((label, score))
    error = 0.0
    for written, number in zip(calibration["bins"], sorted(bins), strict=True):
        labels, scores = zip(*bins[number], strict=True)
        mean, share = sum(scores) / len(scores), sum(labels) / len(labels)
        assert (written["low"], written["high"], written["rows"]) == (number / 10, (number + 1) / 10, len(labels))
        assert (written["mean_probability"], written["share_of_genes"]) == pytest.approx((mean, share))
        error += len(labels) * abs(mean - share) / len(squares)
    assert calibration["expected_calibration_error"] == pytest.approx(error)


def test_the_difference_from_the_best_rule_is_that_of_the_two_and_intervals_hold_it(run: Run) -> None:
    best = max(run.evaluated["rules"].values(), key=lambda rule: rule["auroc"])
    assert run.evaluated["rules"][run.evaluated["best_rule"]["name"]] == best
    (difference,) = run.evaluated["differences"]
    own = figures(run.predictions, run.evaluated["threshold"])
    for name, value in own.items():
        assert difference[name]["value"] == pytest.approx(value - best[name], abs=1e-12)


def test_bootstrap_intervals_are_those_of_another_resampling(run: Run) -> None:
    generator = np.random.default_rng(77)
    groups = [[pair for pair in run.predictions if pair[0] == label] for label in (0, 1)]
    samples = []
    for _ in range(200):
        drawn = [group[number] for group in groups for number in generator.integers(0, len(group), len(group))]
        samples.append(area_under_roc([label for label, _ in drawn], [score for _, score in drawn]))
    assert run.evaluated["intervals"]["auroc"] == pytest.approx(np.quantile(samples, [0.025, 0.975]), abs=0.05)


def ends_shown(row: Row, sequences: dict[str, str], *, last: bool) -> str:
    """The six bases at one end, with N where no k-mer of A, C, G and T shows the base."""
    letters = letters_of(row, sequences).upper()
    starts = [*range(0, len(letters) - K + 1, STRIDE), len(letters) - K]
    shown = ["N"] * len(letters)
    for start in starts:
        if set(word := letters[start : start + K]) <= set("ACGT"):
            shown[start : start + K] = word
    return "".join(shown[-6:] if last else shown[:6])


def test_rules_have_the_areas_of_their_plain_scores(run: Run) -> None:
    train, test = run.rows["train"], run.rows["test"]
    plain: dict[str, Callable[[Row], float]] = {
        "length": lambda row: float(row["end"] - row["start"]),
        "gc": lambda row: float(row["gc"]),
        "soft_masked": lambda row: float(row["soft_masked_share"]),
        "unknown": lambda row: float(row["unknown_share"]),
    }
    for name, last in (("first_six", False), ("last_six", True)):
        counts = {label: Counter[str]() for label in (0, 1)}
        for row in train:
            counts[row["label"]][ends_shown(row, run.sequences, last=last)] += 1

        def log_odds(row: Row, last: bool = last, counts: dict[int, Counter[str]] = counts) -> float:
            end = ends_shown(row, run.sequences, last=last)
            shares = [(counts[label][end] + 0.5) / (counts[label].total() + 0.5 * 4**6) for label in (0, 1)]
            return math.log(shares[1]) - math.log(shares[0])

        plain[name] = log_odds
    first, final = plain["first_six"], plain["last_six"]
    plain["ends"] = lambda row: first(row) + final(row)
    for name, score in plain.items():
        areas = [
            area_under_roc([row["label"] for row in rows], [round(score(row), 12) for row in rows])
            for rows in (train, test)
        ]
        turned = 1 - areas[1] if areas[0] < 0.5 and name in ("length", "gc", "soft_masked", "unknown") else areas[1]
        assert run.evaluated["shortcuts"][name] == pytest.approx(turned), name
