from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.config import SourceConfig
from pipelines.errors import InputError
from pipelines.genome import contigs
from pipelines.genome.features import Feature
from pipelines.inputs import name_pattern

LENGTHS = {"chr1": 300, "chr2": 200, "chrM": 16, "scaffold_9": 5}


def source(**keys: Any) -> SourceConfig:
    return SourceConfig(genome="g", fasta="genome.fa", annotation="genes.gff3", **keys)


def aliases(folder: Path, text: str) -> str:
    path = folder / "aliases.txt"
    path.write_text(text)
    return str(path)


def test_names_are_unchanged_without_aliases() -> None:
    translate = contigs.NameTranslator(source(), LENGTHS).translate
    assert [translate(name) for name in ("chr1", "1", "unknown")] == ["chr1", "1", "unknown"]


def test_the_prefix_chr_is_ignored_in_either_case_and_in_either_file() -> None:
    translate = contigs.NameTranslator(source(ignore_chr=True), ["chr1", "2", "chrM"]).translate
    assert [translate(name) for name in ("1", "Chr1", "chr2", "CHRM", "M")] == ["chr1", "chr1", "2", "chrM", "chrM"]


def test_a_name_of_the_fasta_file_is_never_translated(tmp_path: Path) -> None:
    path = aliases(tmp_path, "chr1 chr2\nNC_1 chr1\n")
    translate = contigs.NameTranslator(source(aliases=path), LENGTHS).translate
    assert (translate("chr1"), translate("NC_1")) == ("chr1", "chr1")


def test_aliases_go_before_the_prefix_chr(tmp_path: Path) -> None:
    translate = contigs.NameTranslator(
        source(aliases=aliases(tmp_path, "1 chr2\n"), ignore_chr=True), LENGTHS
    ).translate
    assert (translate("1"), translate("2")) == ("chr2", "chr2")


def test_aliases_of_sequences_that_are_not_in_the_fasta_file_are_skipped(tmp_path: Path) -> None:
    translate = contigs.NameTranslator(source(aliases=aliases(tmp_path, "NC_7 chr7\nNC_1\tchr1\n")), LENGTHS).translate
    assert (translate("NC_7"), translate("NC_1")) == ("NC_7", "chr1")


def test_every_name_of_an_assembly_report_leads_to_the_one_in_the_fasta_file(tmp_path: Path) -> None:
    report = (
        "# Assembly name: toy\n"
        "# Sequence-Name\tRole\tGenBank-Accn\tRefSeq-Accn\tUCSC-style-name\n"
        "1\tassembled\tCM1.1\tNC_1.1\tchr1\n"
        "MT\tassembled\tCM9.1\tNC_9.1\tchrM\n"
    )
    translate = contigs.NameTranslator(source(aliases=aliases(tmp_path, report)), LENGTHS).translate
    assert [translate(name) for name in ("1", "CM1.1", "NC_1.1", "MT")] == ["chr1", "chr1", "chr1", "chrM"]


@pytest.mark.parametrize(
    "text", ["chr1\n", "# Sequence-Name\tRole\tGenBank-Accn\n1\tassembled\n"], ids=["one column", "a short row"]
)
def test_a_line_of_aliases_with_too_few_columns_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"aliases\.txt: line \d: \d columns: give two columns"):
        contigs.NameTranslator(source(aliases=aliases(tmp_path, text)), LENGTHS)


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


TABLES = {
    "chromAlias of UCSC": "# ucsc\tassembly\tgenbank\trefseq\nchr1\t1\tCM1.1\tNC_1.1\nchr2\t2\tCM2.1\tNC_2.1\n",
    "chromAlias with the FASTA names last": "# refseq\tgenbank\tncbi\tucsc\nNC_1.1\tCM1.1\t1\tchr1\n"
    "NC_2.1\tCM2.1\t2\tchr2\n",
    "chromAlias with empty cells": "#ucsc\tassembly\tgenbank\trefseq\nchr1\t\tna\tNC_1.1\nchr2\tx\tna\tNC_2.1\n",
    "chromAlias with a name and further ones": "# sequenceName\talias names\tUCSC database: x\n"
    "chr1\t1\tCM1.1\tNC_1.1\nchr2\tNC_2.1\n",
    "chromAlias without the sign of its header": "ucsc\trefseq\nchr1\tNC_1.1\nchr2\tNC_2.1\n",
    "sequence report": "Assembly Accession\tChromosome name\tGenBank seq accession\tRefSeq seq accession\tRole\t"
    "UCSC style name\nG\tUn\tCM1.1\tNC_1.1\tunplaced\tchr1\nG\tUn\tCM2.1\tNC_2.1\tunplaced\tchr2\n",
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_names_is_read_in_all_its_columns(tmp_path: Path, name: str) -> None:
    names = contigs.NameTranslator(source(aliases=aliases(tmp_path, TABLES[name])), LENGTHS)
    assert [names.translate(alias) for alias in ("NC_1.1", "NC_2.1", "chr2")] == ["chr1", "chr2", "chr2"]
    assert [names.translate(alias) for alias in ("na", "Un", "unplaced", "")] == ["na", "Un", "unplaced", ""]


def test_blanks_around_an_alias_are_no_part_of_it(tmp_path: Path) -> None:
    names = contigs.NameTranslator(source(aliases=aliases(tmp_path, "NC_1\tchr1 \n NC_2\tchr2\nNC_3\tchrM\n")), LENGTHS)
    assert (names.translate("NC_3"), names.has_new_rules) == ("chrM", False)
    assert (names.translate("NC_1"), names.translate("NC_2"), names.has_new_rules) == ("chr1", "chr2", True)


def test_an_alias_of_two_sequences_is_an_error_with_its_line_where_it_is_used(tmp_path: Path) -> None:
    names = contigs.NameTranslator(source(aliases=aliases(tmp_path, "1 chr1\n2 chr2\n1 chr2\n2 chr2\n")), LENGTHS)
    assert names.translate("2") == "chr2"
    with pytest.raises(InputError, match=r"aliases\.txt: line 3: '1' is another sequence than in a line before"):
        names.translate("1")


def test_further_columns_without_a_header_are_no_names(tmp_path: Path) -> None:
    names = contigs.NameTranslator(source(aliases=aliases(tmp_path, "1\tchr1\tassembly\n")), LENGTHS)
    assert (names.translate("1"), names.translate("assembly")) == ("chr1", "assembly")
    assert not names.has_new_rules


def test_only_what_a_further_column_translates_is_a_new_rule(tmp_path: Path) -> None:
    names = contigs.NameTranslator(source(aliases=aliases(tmp_path, TABLES["chromAlias of UCSC"])), LENGTHS)
    assert (names.translate("1"), names.has_new_rules) == ("chr1", False)
    assert (names.translate("NC_1.1"), names.has_new_rules) == ("chr1", True)


@pytest.mark.parametrize(
    ("fasta", "written", "expected"),
    [
        (["chr%2C1"], "chr%2C1", "chr%2C1"),
        (["chr%2C1"], "chr%252C1", "chr%2C1"),
        (["chr,1"], "chr%2C1", "chr,1"),
        (["chr,1", "chr%2C1"], "chr%2C1", "chr%2C1"),
        (["100%"], "100%", "100%"),
        (["a b"], "a%20b", "a b"),
        (["chr1"], "chr%2C1", "chr%2C1"),
    ],
)
def test_a_name_as_written_comes_before_the_decoded_one(fasta: list[str], written: str, expected: str) -> None:
    names = contigs.NameTranslator(source(), fasta)
    assert names.translate(written, is_decoded=True) == expected
    # Earlier versions decoded every name of GFF3.
    assert names.has_new_rules == (expected in fasta and expected in {"chr%2C1"} and written == "chr%2C1")
    gene = Feature(written, 0, 9, "+", "a", None)
    assert [feature.chromosome for feature in contigs.in_fasta([gene], fasta)] == [expected]
