from __future__ import annotations

import pytest

from pipelines.comparison.analysis import Analysis
from pipelines.comparison.report import examples
from pipelines.gene_models.model import Gene
from tests.pipelines.comparison.report.conftest import Make, gene


def with_exons(name: str, start: int, count: int) -> Gene:
    return gene(name, *[(start + 30 * part, start + 30 * part + 20) for part in range(count)])


def test_there_is_an_example_of_every_kind(two: Analysis) -> None:
    chosen = {example.kind: example for example in examples.choose(two)}
    assert list(chosen) == list(examples.TITLES)
    assert chosen["fused"].text == "fuses of caller covers g1, g3."
    assert chosen["split"].text == "g7 is left, right of caller."
    assert [one.gene_id for one in chosen["fused"].focus] == ["fuses", "g1", "g3"]
    assert str(chosen["invented"].window) == "b:801-1090"


def test_the_exact_gene_is_that_with_most_introns_called_by_fewest(make_analysis: Make) -> None:
    genes = [
        gene(str(count), *[(500 * count + 30 * part, 500 * count + 30 * part + 20) for part in range(count)])
        for count in (1, 4, 7, 9)
    ]
    extra = gene("as many", *[(9000 + 30 * part, 9000 + 30 * part + 20) for part in range(7)])
    sets = {"one": [*genes[:3], extra], "other": genes[:3]}
    example = examples.choose(make_analysis(sets, genes=[*genes, extra]))[0]
    assert example.kind == "exact"
    assert example.text == "as many, 7 exons: by one."


def test_a_window_ends_where_its_sequence_ends(make_analysis: Make) -> None:
    whole = gene("g", (0, 22_000))
    (example,) = examples.choose(make_analysis({"calls": [whole]}, genes=[whole]))
    assert str(example.window) == "a:1-22000"


def test_a_locus_that_is_too_long_to_draw_is_no_example(make_analysis: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "MAX_BASES", 500)
    whole = gene("g", (0, 600))
    assert examples.choose(make_analysis({"calls": [whole]}, genes=[whole])) == []
