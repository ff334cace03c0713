"""Sequences with several classes through the verbs that read them, by the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from cluster.experiment import load
from pipelines.audit.regression_size import most_bytes
from pipelines.dataset.token_dataset import TokenDataset
from tests.class_sequences import build_classes, sections, write_sequences
from tests.cluster.command_line import one_line, run_here
from tests.training.small_bundle import small_class_bundle

MODEL = {"embedding": 8, "hidden": 8, "stem": 8}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment, its dataset and an untrained model of it."""
    folder = tmp_path_factory.mktemp("classes")
    write_sequences(folder)
    build_classes(folder, folder / "data")
    small_class_bundle(TokenDataset.open(folder / "data", "train")).save(folder / "bundle")
    values = {"model": MODEL, "training": {"epochs": 2, "global_batch_size": 16, "probe": False}}
    text = yaml.safe_dump(sections(folder) | values | {"cluster": {"engine": "local"}})
    (folder / "experiment.yaml").write_text(text)
    return folder


def test_evaluate_shows_classes_and_writes_page_json_and_predictions(folder: Path) -> None:
    figures, rows = folder / "figures.json", folder / "rows.tsv"
    done = run_here(
        *("evaluate", folder / "bundle", "--dataset", folder / "data", "--samples", 100),
        *("--json", figures, "--predictions", rows),
    )
    assert done.returncode == 0, done.stderr
    assert "Each class against all others" in done.stdout
    assert json.loads(figures.read_text())["classes"] == ["10", "exon", "intron"]
    assert len(rows.read_text().splitlines()) == 31
    assert (folder / "report-test.html").exists()
    assert not (folder / "mistakes-test.bed").exists()


@pytest.mark.parametrize("flags", [["--mistakes", "m.bed"], ["--resample", "chromosome"]])
def test_evaluate_refuses_what_needs_a_genome(folder: Path, flags: list[str]) -> None:
    done = run_here("evaluate", folder / "bundle", "--dataset", folder / "data", *flags)
    assert f"{flags[0]}: sequences with classes have no place in a genome" in one_line(done, 2)


def test_inspect_counts_classes(folder: Path) -> None:
    done = run_here("inspect", folder / "data", "--json", folder / "inspect.json", "--report", folder / "inspect.html")
    assert done.returncode == 0, done.stderr
    document = json.loads((folder / "inspect.json").read_text())
    assert document["splits"]["train"] == {"10": 30, "exon": 30, "intron": 30}
    assert set(document["shortcuts"]) == {"prior", "length", "gc", "kmers"}
    assert "Sequences by class" in (folder / "inspect.html").read_text()


def test_predict_writes_a_probability_of_each_class(folder: Path) -> None:
    (folder / "some.fa").write_text(">one\nACGTACGTGGTTACA\n>two\nTTGACATTTT\n")
    done = run_here("predict", folder / "bundle", "--sequences", folder / "some.fa", "--output", folder / "some.tsv")
    assert done.returncode == 0, done.stderr
    header = (folder / "some.tsv").read_text().splitlines()[0].split("\t")
    assert header[-3:] == ["probability:10", "probability:exon", "probability:intron"]


@pytest.mark.parametrize("verb", ["scan", "annotate"])
def test_verbs_of_genomes_refuse_the_model_in_a_line(folder: Path, verb: str) -> None:
    (folder / "some.fa").write_text(">one\nACGTACGTGGTTACA\n")
    done = run_here(verb, folder / "bundle", "--fasta", folder / "some.fa", "--output", folder / "genes.gff3")
    assert "gives the classes of sequences, which is another task" in one_line(done, 1)


def test_memory_counts_what_each_class_takes(folder: Path, tmp_path: Path) -> None:
    shares = {f"c{number}": (0.25, 0.25, 0.25, 0.25) for number in range(30)}
    write_sequences(tmp_path, **shares)
    build_classes(tmp_path, tmp_path / "data")
    figures = []
    for dataset in (folder / "data", tmp_path / "data"):
        done = run_here(
            *("memory", folder / "experiment.yaml", "--dataset", dataset, "--device-memory", "2GiB"),
            *("--json", tmp_path / "memory.json"),
        )
        assert done.returncode == 0, done.stderr
        figures.append(json.loads((tmp_path / "memory.json").read_text()))
    few, many = figures
    # A weight of each pooled state and a bias for each of 27 classes more, at least.
    assert many["longest_parameters"] - few["longest_parameters"] >= 27 * (MODEL["hidden"] + 1) * 4
    # The regression is fitted to the 90 rows of train; the other 30 are validation's.
    assert many["fitting"] - few["fitting"] == most_bytes(90, 30) - most_bytes(90, 3) == 90 * 27 * 40


def test_init_writes_an_experiment_of_classes_that_passes_a_dry_run(folder: Path, tmp_path: Path) -> None:
    files = ("--train", folder / "train.csv", "--validation", folder / "validation.csv", "--test", folder / "test.csv")
    done = run_here("init", tmp_path / "new", "--preset", "classes", *files)
    assert done.returncode == 0, done.stderr
    experiment = load(tmp_path / "new" / "experiment.yaml", {})
    assert (experiment.task, experiment.classes) == ("classify", ["10", "exon", "intron"])
    assert ["exon", "30", "10", "10"] in [line.split() for line in done.stdout.splitlines()]
    dry = run_here("build", tmp_path / "new" / "experiment.yaml", "--dry-run")
    assert dry.returncode == 0, dry.stderr


def test_init_names_the_preset_where_labels_are_names(folder: Path, tmp_path: Path) -> None:
    done = run_here(
        *("init", tmp_path / "new", "--train", folder / "train.csv", "--validation", folder / "validation.csv")
    )
    assert "use 1 (gene) or 0 (negative); for several classes give --preset classes" in one_line(done, 1)


@pytest.mark.full
@pytest.mark.ray
def test_two_workers_score_classes_as_one_process_does(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "some.fa").write_text(">one\nACGTACGTGGTTACA\n>two\nTTGACATTTT\n")
    found = []
    for number, flags in enumerate(((), ("--workers", "2", "--cluster.engine", "ray", "--cluster.cpus", "2"))):
        scored, figures = tmp_path / f"{number}.tsv", tmp_path / f"{number}.json"
        for command in (
            ("predict", folder / "bundle", "--sequences", tmp_path / "some.fa", "--output", scored),
            ("evaluate", folder / "bundle", "--dataset", folder / "data", "--samples", "100", "--json", figures),
        ):
            done = run_here(*command, *flags)
            assert done.returncode == 0, done.stderr
        found.append((scored.read_bytes(), figures.read_bytes()))
    assert found[0] == found[1]


@pytest.mark.full
def test_a_run_of_classes_finishes_and_is_found_finished(folder: Path) -> None:
    command = ("train", folder / "experiment.yaml", "--dataset", folder / "data", "--output", folder / "run")
    for _ in range(2):
        done = run_here(*command)
        assert done.returncode == 0, done.stderr
    config = json.loads((folder / "run" / "bundle" / "config.json").read_text())
    assert len(config["kmer_regression"]["intercepts"]) == 3
    card = (folder / "run" / "bundle" / "README.md").read_text()
    assert "5-mer logistic regression" in card
    assert "| class | 10 | exon | intron | precision | recall | F1 |" in card
