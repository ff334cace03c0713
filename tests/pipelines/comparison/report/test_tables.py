from __future__ import annotations

from dataclasses import replace

from pipelines.comparison.analysis import Analysis
from pipelines.comparison.levels import LEVELS
from pipelines.comparison.masking import FalseGenes, Share
from pipelines.comparison.report import conclusions, tables
from pipelines.gene_models.model import Gene
from pipelines.report import MISSING
from tests.pipelines.comparison.report.conftest import Make, annotated_genes, with_mistakes


def test_figures_have_every_level_and_that_of_calling_everything(two: Analysis) -> None:
    table = tables.figures(two, 1)
    assert [row[0] for row in table.rows] == [*LEVELS.values(), two.comparison.everything.name]
    assert all(row[3:6] == (1, 1, 1) for row in table.rows[:-1])
    assert table.rows[0][6] == "1.000–1.000"
    assert table.caption == "perfect compared with the annotation, on a, b"


def test_levels_that_are_not_defined_are_missing(make_analysis: Make) -> None:
    bare = [Gene(one.gene_id, one.chromosome, one.start, one.end, one.strand) for one in annotated_genes()]
    analysis = make_analysis({"calls": bare})
    rows = {row[0]: row for row in tables.figures(analysis, 0).rows}
    assert rows[LEVELS["cds"]][1:] == (MISSING,) * 6
    assert rows[LEVELS["half"]][3:6] == (1, 1, 1)
    assert tables.headline(analysis) == "half"


def test_differences_are_of_the_first_minus_the_second(two: Analysis) -> None:
    table = tables.differences(two)
    assert table.header == ("level", "caller − perfect", "95 %")
    assert all(str(row[1]).startswith("-") for row in table.rows if row[0] == LEVELS["cds"])


def test_many_call_sets_are_compared_with_the_first(make_analysis: Make) -> None:
    analysis = make_analysis({name: annotated_genes() for name in "uvwx"})
    assert len(analysis.differences) == 6
    assert [pair.second for pair in tables.shown_pairs(analysis)] == [1, 2, 3]
    assert len(tables.differences(analysis).header) == 7


def test_the_terminal_shows_two_call_sets_with_their_difference(two: Analysis) -> None:
    table = next(one for one in tables.terminal_tables(two) if one.caption.startswith("F1 side by side. Differences"))
    assert table.header == ("level", "caller", "perfect", "caller − perfect", "95 %")
    for _, caller, perfect, difference, _ in table.rows:
        assert isinstance(caller, float)
        assert isinstance(perfect, float)
        assert difference == f"{caller - perfect:+.3f}"


def test_the_terminal_has_a_row_for_each_pair_of_several_call_sets(make_analysis: Make) -> None:
    analysis = make_analysis({name: annotated_genes()[number:] for number, name in enumerate("uvw")})
    table = next(one for one in tables.terminal_tables(analysis) if one.caption.startswith("Differences"))
    assert [row[0] for row in table.rows] == ["u − v", "u − w", "v − w"]
    assert table.header[1::2] == (LEVELS["cds_base"], LEVELS["exon"], LEVELS["cds"])


def test_long_names_are_numbers_in_the_terminal_that_each_caption_explains(make_analysis: Make) -> None:
    names = [f"a_rather_long_name_of_calls_{letter}.gff3" for letter in "uvw"]
    analysis = make_analysis({name: annotated_genes()[number:] for number, name in enumerate(names)})
    numbered = [table for table in tables.terminal_tables(analysis) if "(1)" in (*table.header, *table.rows[0])]
    assert {table.caption.split(";")[0].split(":")[0] for table in numbered} == {
        "F1 side by side",
        tables.BY_CAPTIONS["chromosome"],
        tables.BY_CAPTIONS["introns"],
        "Genes fused, split, missed and invented",
    }
    key = f"; (1) {names[0]}, (2) {names[1]}, (3) {names[2]}"
    assert all(table.caption.endswith(key) for table in numbered)
    pairs = tables.pairs(analysis)
    assert pairs.caption.endswith(key)
    assert [row[0] for row in pairs.rows] == ["(1) − (2)", "(1) − (3)", "(2) − (3)"]
    assert names[0] in tables.side_by_side(analysis).header


def test_the_terminal_shows_slices_of_which_there_are_several(two: Analysis) -> None:
    captions = [table.caption.split(":")[0] for table in tables.terminal_tables(two)]
    assert tables.BY_CAPTIONS["chromosome"] in captions
    assert tables.BY_CAPTIONS["introns"] in captions
    assert tables.BY_CAPTIONS["biotype"] not in captions


def test_every_row_is_as_long_as_its_header(two: Analysis, make_analysis: Make) -> None:
    empty = make_analysis({"calls": []}, genes=[])
    for analysis in (two, make_analysis({"calls": with_mistakes(annotated_genes())}), empty):
        for table in tables.terminal_tables(analysis):
            assert all(len(row) == len(table.header) for row in table.rows), table.caption


def test_false_genes_are_not_available_without_soft_masking(two: Analysis) -> None:
    assert [row[:4] for row in tables.false_genes(two).rows[:3]] == [
        ("caller", "all", 0.044, 1),
        ("caller", "soft-masked", 0.022, 1),
        ("caller", "other", 0.022, 0),
    ]
    unmasked = replace(two, false_genes=[FalseGenes(Share(5_000_000, 2), None, None)] * 2)
    assert tables.false_genes(unmasked).rows[:2] == [
        ("caller", "all", 5.0, 2, 0.4),
        ("caller", "soft-masked", tables.NOT_AVAILABLE, MISSING, MISSING),
    ]


def test_the_conclusion_names_the_best_and_what_the_next_lacks(two: Analysis) -> None:
    (sentence,) = conclusions.conclude(two)
    assert sentence.startswith(f"F1 of {LEVELS['cds']}: perfect 1.000 (95 % 1.000–1.000), caller 0.")
    assert "perfect − caller: 95 % +0." in sentence


def test_equal_call_sets_may_differ_by_chance(make_analysis: Make) -> None:
    (sentence,) = conclusions.conclude(make_analysis({"one": annotated_genes(), "other": annotated_genes()}))
    assert sentence.endswith("one − other: 95 % +0.000 to +0.000, which may be chance.")


def test_without_samples_nothing_is_said_of_chance_or_of_few_loci(make_analysis: Make) -> None:
    sets = {"one": annotated_genes(), "other": annotated_genes()[1:]}
    (sentence,) = conclusions.conclude(make_analysis(sets, samples=0))
    assert sentence.endswith("Without bootstrap samples nothing says whether they differ by chance.")


def test_a_single_call_set_has_its_figure(make_analysis: Make) -> None:
    assert conclusions.conclude(make_analysis({"calls": annotated_genes()})) == [
        f"F1 of {LEVELS['cds']}: 1.000 (95 % 1.000–1.000)."
    ]
