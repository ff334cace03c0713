from __future__ import annotations

import argparse
from typing import Any

import pytest

from cluster.options.flags import add_sections, not_negative, parse, positive
from cluster.options.parser import Parser
from pipelines.errors import UsageError


def parsed(*arguments: str, verb: str = "build") -> dict[tuple[str | int, ...], Any]:
    parser = Parser(prog="raygene", allow_abbrev=False)
    verbs = parser.add_subparsers(dest="verb")
    build = verbs.add_parser("build", allow_abbrev=False)
    add_sections(build, ("sources", "tokenizer"))
    train = verbs.add_parser("train", allow_abbrev=False)
    add_sections(train, ("model",))
    return parse(parser, [verb, *arguments])[1]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--tokenizer.k", "4"], {("tokenizer", "k"): 4}),
        (["--task", "structure"], {("task",): "structure"}),
        (["--window.length", "5004"], {("window", "length"): 5004}),
        (["--labels.utr", "keep"], {("labels", "utr"): "keep"}),
        (["--training.learning_rate", "1e-3"], {("training", "learning_rate"): 1e-3}),
        (["--training.learning-rate=1e-3"], {("training", "learning_rate"): 1e-3}),
        (["--model.embedding-file", "a-b.safetensors"], {("model", "embedding_file"): "a-b.safetensors"}),
        (["--sources.0.feature-types", "gene"], {("sources", 0, "feature_types"): ["gene"]}),
        (["--model.bidirectional", "false"], {("model", "bidirectional"): False}),
        (["--crop.length", "null"], {("crop", "length"): None}),
        (["--split.test", "0.2"], {("split", "test"): 0.2}),
        (["--split.test", "0"], {("split", "test"): 0}),
        (["--split.test", "8"], {("split", "test"): ["8"]}),
        (["--split.test", "'2.5'"], {("split", "test"): "2.5"}),
        (["--split.test", "08"], {("split", "test"): "08"}),
        (["--split.test", "IV", "8", "R64:XV"], {("split", "test"): ["IV", "8", "R64:XV"]}),
        (["--tokenizer.from", "01"], {("tokenizer", "from"): "01"}),
        (["--sources.1.fasta", "a.fa"], {("sources", 1, "fasta"): "a.fa"}),
        (["--sources.0.fasta=a.fa"], {("sources", 0, "fasta"): "a.fa"}),
        (
            ["--sources.0.chromosomes", "I", "II", "--tokenizer.k", "3"],
            {("sources", 0, "chromosomes"): ["I", "II"], ("tokenizer", "k"): 3},
        ),
    ],
)
def test_a_flag_sets_its_key(arguments: list[str], expected: dict[tuple[str | int, ...], Any]) -> None:
    assert parsed(*arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--split.test", "a", "--split.test", "b"], "--split.test is given twice: list all its values after one"),
        (["--sources.0.chromosomes=a", "--sources.0.chromosomes", "b"], "--sources.0.chromosomes is given twice"),
        (["--tokenizer.kk", "4"], "unknown argument --tokenizer.kk: did you mean --tokenizer.k"),
        (["--tokenizer.min-coumt", "4"], "unknown argument --tokenizer.min-coumt: did you mean --tokenizer.min_count"),
        (["--out_putt=x"], "unknown argument --out_putt"),
        (["--sources.0.fasta"], "no value"),
        (["--sources.N.fasta", "a.fa"], "--sources.N.fasta: N must be a number"),
        (["--tokenizer.k"], "expected one argument"),
    ],
)
def test_a_wrong_flag_is_a_usage_error(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parsed(*arguments)


def test_a_verb_that_reads_no_genomes_refuses_flags_for_them() -> None:
    with pytest.raises(UsageError, match=r"raygene train: unknown argument --sources.0.fasta"):
        parsed("--sources.0.fasta", "a.fa", verb="train")


@pytest.mark.parametrize("number", ["10000", "99999999999", "9" * 5_000])
def test_a_flag_of_a_genome_that_cannot_be_counted_is_refused(number: str) -> None:
    with pytest.raises(UsageError, match="more than 10,000 genomes") as caught:
        parsed(f"--sources.{number}.fasta", "a.fa")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", ["0", "-1", "x", "1.5", "1e3", "\u0663", "", "nan", "9" * 16, "9" * 1_000_000])
def test_an_argument_of_whole_numbers_is_bounded(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        positive(text)
    assert len(str(caught.value)) < 120


def test_whole_numbers_of_arguments_are_decimal() -> None:
    assert (positive("010"), positive("1"), not_negative("0")) == (10, 1, 0)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--split.test", "010"], {("split", "test"): "010"}),
        (["--split.test", "1_2"], {("split", "test"): "1_2"}),
        (["--split.test", "1:30"], {("split", "test"): "1:30"}),
        (["--split.test", "on"], {("split", "test"): "on"}),
        (["--split.test", "null"], {("split", "test"): ["null"]}),
        (["--split.test", "true"], {("split", "test"): ["true"]}),
        (["--split.test", "0.1", "010"], {("split", "test"): ["0.1", "010"]}),
        (["--sources.0.chromosomes", "010", "null", "3.10"], {("sources", 0, "chromosomes"): ["010", "null", "3.10"]}),
        (["--sources.0.genome", "010"], {("sources", 0, "genome"): "010"}),
        (["--model.embedding-file", "010"], {("model", "embedding_file"): "010"}),
    ],
)
def test_names_of_flags_are_taken_as_typed(arguments: list[str], expected: dict[tuple[str | int, ...], Any]) -> None:
    assert parsed(*arguments) == expected
