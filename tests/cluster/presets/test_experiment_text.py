from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cluster.presets.experiment_text import (
    SequencesEntry,
    collection_name,
    genome_name,
    of_sequences,
    path_from,
    quoted,
)
from cluster.presets.sequence_facts import SequenceFacts

EXAMPLE = Path(__file__).parents[3] / "examples" / "parts" / "experiment.yaml"


@pytest.mark.parametrize("name", ["IV", "010", "1_2", "y", "null", "a: b", "II:1-20", "#1", "chr'1", "~"])
def test_a_name_is_read_back_as_it_is(name: str) -> None:
    assert yaml.safe_load(f"[{quoted(name)}]") == [name]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("Schizosaccharomyces_pombe.ASM294v2.dna.toplevel.fa.gz", "ASM294v2"),
        ("Saccharomyces_cerevisiae.R64-1-1.dna_sm.toplevel.fa.gz", "R64-1-1"),
        ("GCF_000001735.4_TAIR10.1_genomic.fna.gz", "TAIR10.1"),
        ("my genome (2).fasta", "my_genome_2"),
        (".fa", "genome"),
    ],
)
def test_a_genome_is_named_for_its_assembly(file: str, name: str) -> None:
    assert genome_name(Path(file)) == name


def test_a_path_beside_the_folder_is_relative_and_another_is_whole(tmp_path: Path) -> None:
    assert path_from(tmp_path / "mine", str(tmp_path / "genome.fa")) == "../genome.fa"
    assert path_from(tmp_path / "a" / "b" / "c", str(tmp_path / "genome.fa")) == str(tmp_path / "genome.fa")


@pytest.mark.parametrize(
    ("file", "name"), [("prom_core/train.csv.gz", "prom_core"), ("a/my set.tsv", "my_set"), ("x/.csv", "sequences")]
)
def test_labelled_sequences_are_named_for_their_file_or_its_directory(file: str, name: str) -> None:
    assert collection_name(Path(file)) == name


@pytest.mark.parametrize(
    ("facts", "model", "training"),
    [
        (None, {}, {}),
        (SequenceFacts(0.8, 0.7, 0.5, 0.5, 0.01), {}, {}),
        (SequenceFacts(0.8, 0.79, 0.5, 0.5, 0.01), {"strands": "averaged"}, {"reverse_complement": True}),
        (SequenceFacts(0.8, 0.6, 0.9, 0.6, 0.01), {"absolute_positions": True}, {}),
    ],
    ids=["one label", "one strand", "both strands", "aligned"],
)
def test_classes_get_the_settings_of_the_example_and_what_they_show(
    facts: SequenceFacts | None, model: dict[str, object], training: dict[str, object]
) -> None:
    files = {"train": "train.csv", "validation": "validation.csv"}
    text = of_sequences("classes", SequencesEntry("parts", files, 2904, facts, ("exon", "intron")))
    experiment, example = yaml.safe_load(text), yaml.safe_load(EXAMPLE.read_text())
    assert experiment["tokenizer"] == example["tokenizer"]
    assert experiment["model"] == example["model"] | model
    assert experiment["training"] == example["training"] | {"workers": 1} | training


@pytest.mark.parametrize(
    ("facts", "positions", "strands"),
    [
        (SequenceFacts(0.8, 0.6, 0.9, 0.6, 0.01), True, None),
        (SequenceFacts(0.8, 0.79, 0.5, 0.5, 0.01), None, "averaged"),
        (SequenceFacts(0.8, 0.7, 0.5, 0.5, 0.01), None, None),
        (SequenceFacts(0.51, 0.51, 0.5, 0.5, 0.01), None, None),
        (None, None, None),
    ],
    ids=["aligned", "both strands", "one strand", "4-mers tell nothing", "one label"],
)
def test_what_sequences_show_becomes_keys_of_the_model(
    facts: SequenceFacts | None, positions: bool | None, strands: str | None
) -> None:
    files = {"train": "train.csv", "validation": "dev.csv"}
    experiment = yaml.safe_load(of_sequences("promoters", SequencesEntry("sites", files, 6000, facts)))
    assert experiment["model"].get("absolute_positions") == positions
    assert experiment["model"].get("strands") == strands
    assert experiment["training"].get("reverse_complement") == (True if strands else None)


@pytest.mark.parametrize(("preset", "networks"), [("promoters", 3), ("search", None)])
def test_two_labels_get_an_ensemble_and_a_search_single_networks(preset: str, networks: int | None) -> None:
    files = {"train": "train.csv", "validation": "dev.csv"}
    experiment = yaml.safe_load(of_sequences(preset, SequencesEntry("sites", files, 6000, None)))
    assert experiment["model"].get("ensemble") == networks
