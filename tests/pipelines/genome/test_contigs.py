from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.config import SourceConfig
from pipelines.errors import InputError
from pipelines.genome import contigs
from pipelines.inputs import name_pattern

LENGTHS = {"chr1": 300, "chr2": 200, "chrM": 16, "scaffold_9": 5}


def source(**keys: Any) -> SourceConfig:
    return SourceConfig(genome="g", fasta="genome.fa", annotation="genes.gff3", **keys)


def aliases(folder: Path, text: str) -> str:
    path = folder / "aliases.txt"
    path.write_text(text)
    return str(path)


def test_names_are_unchanged_without_aliases() -> None:
    translate = contigs.name_translator(source(), LENGTHS)
    assert [translate(name) for name in ("chr1", "1", "unknown")] == ["chr1", "1", "unknown"]


def test_the_prefix_chr_is_ignored_in_either_case_and_in_either_file() -> None:
    translate = contigs.name_translator(source(ignore_chr=True), ["chr1", "2", "chrM"])
    assert [translate(name) for name in ("1", "Chr1", "chr2", "CHRM", "M")] == ["chr1", "chr1", "2", "chrM", "chrM"]


def test_a_name_of_the_fasta_file_is_never_translated(tmp_path: Path) -> None:
    path = aliases(tmp_path, "chr1 chr2\nNC_1 chr1\n")
    translate = contigs.name_translator(source(aliases=path), LENGTHS)
    assert (translate("chr1"), translate("NC_1")) == ("chr1", "chr1")


def test_aliases_go_before_the_prefix_chr(tmp_path: Path) -> None:
    translate = contigs.name_translator(source(aliases=aliases(tmp_path, "1 chr2\n"), ignore_chr=True), LENGTHS)
    assert (translate("1"), translate("2")) == ("chr2", "chr2")


def test_aliases_of_sequences_that_are_not_in_the_fasta_file_are_skipped(tmp_path: Path) -> None:
    translate = contigs.name_translator(source(aliases=aliases(tmp_path, "NC_7 chr7\nNC_1\tchr1\n")), LENGTHS)
    assert (translate("NC_7"), translate("NC_1")) == ("NC_7", "chr1")


def test_every_name_of_an_assembly_report_leads_to_the_one_in_the_fasta_file(tmp_path: Path) -> None:
    report = (
        "# Assembly name: toy\n"
        "# Sequence-Name\tRole\tGenBank-Accn\tRefSeq-Accn\tUCSC-style-name\n"
        "1\tassembled\tCM1.1\tNC_1.1\tchr1\n"
        "MT\tassembled\tCM9.1\tNC_9.1\tchrM\n"
    )
    translate = contigs.name_translator(source(aliases=aliases(tmp_path, report)), LENGTHS)
    assert [translate(name) for name in ("1", "CM1.1", "NC_1.1", "MT")] == ["chr1", "chr1", "chr1", "chrM"]


@pytest.mark.parametrize(
    "text", ["chr1\n", "# Sequence-Name\tRole\tGenBank-Accn\n1\tassembled\n"], ids=["one column", "a short row"]
)
def test_a_line_of_aliases_with_too_few_columns_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"aliases\.txt: line \d: \d columns: give two columns"):
        contigs.name_translator(source(aliases=aliases(tmp_path, text)), LENGTHS)


@pytest.mark.parametrize(
    ("keys", "expected", "reason"),
    [
        ({}, ["chr1", "chrM"], "all that have a gene"),
        ({"chromosomes": ["chr2", "chr1"]}, ["chr1", "chr2"], "by sources.chromosomes"),
        ({"chromosomes": [r"/chr\d/"]}, ["chr1", "chr2"], "by sources.chromosomes"),
        ({"chromosomes": ["/chr/"], "min_length": 0}, [], ""),
        ({"min_length": 16}, ["chr1", "chrM"], "all that have a gene, of at least 16 bases"),
        ({"min_length": 17}, ["chr1"], "all that have a gene, of at least 17 bases"),
        ({"first": 1}, ["chr1"], "all that have a gene, the first 1"),
        ({"first": 9}, ["chr1", "chrM"], "all that have a gene, the first 9"),
    ],
)
def test_sequences_are_selected_by_name_then_length_then_number(
    keys: dict[str, Any], expected: list[str], reason: str
) -> None:
    if not expected:
        with pytest.raises(InputError, match="no sequence is left"):
            contigs.select(LENGTHS, {"chrM", "chr1"}, source(**keys))
        return
    selection = contigs.select(LENGTHS, {"chrM", "chr1"}, source(**keys))
    assert selection.lengths == {name: LENGTHS[name] for name in expected}
    assert selection.reason == reason


def test_a_requested_sequence_that_does_not_exist_is_an_error_with_the_key() -> None:
    with pytest.raises(InputError) as caught:
        contigs.select(LENGTHS, {"chr1"}, source(chromosomes=["chr1", "chr9"]))
    assert str(caught.value).startswith("genome.fa: sources.chromosomes: no sequence 'chr9': choose among chr1, chr2")
    assert caught.value.key == "sources.chromosomes"


def test_a_list_of_names_in_a_message_is_cut() -> None:
    assert contigs.list_names(["a", "b", "c"]) == "a, b, c"
    assert contigs.list_names(["a", "b", "c", "d"]) == "a, b, c, …"
    assert contigs.list_names([]) == ""


def test_a_pattern_that_never_ends_is_an_error_with_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_pattern, "TIME_LIMIT_S", 0.3)
    with pytest.raises(InputError, match=r"sources\.chromosomes: /\(a\+\)\+/ takes more than") as caught:
        contigs.select({"a" * 50 + "!": 9}, set(), source(chromosomes=["/(a+)+/"]))
    assert caught.value.key == "sources.chromosomes"
