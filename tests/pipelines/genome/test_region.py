from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import UsageError
from pipelines.genome import region
from pipelines.genome.region import Region

LENGTHS = {"chr1": 1000, "HLA:A*01": 50, "chr1:5-9": 30, "2": 200}
names = st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1, max_size=8)


@given(names, st.integers(1, 10**9), st.data())
def test_a_region_reads_as_it_is_written(name: str, length: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, length - 1))
    written = Region("", name, start, data.draw(st.integers(start + 1, length)))
    assert region.parse(str(written), {name: length}, "split.test") == written
    assert region.parse(f"{{{name}}}:{start + 1}-{written.end}", {name: length}, "split.test") == written
    assert region.parse(name, {name: length}, "split.test") == Region("", name, 0, length)


@given(st.text("chr1:HLA*05-9,{}2 ", max_size=14))
def test_any_text_is_a_region_within_its_sequence_or_one_line_that_names_the_key(text: str) -> None:
    error: UsageError | None = None
    try:
        found = region.parse(text, LENGTHS, "split.test")
    except UsageError as caught:
        error = caught
    if error is None:
        assert 0 <= found.start < found.end <= LENGTHS[found.chromosome]
        assert found.chromosome in text
    else:
        assert (error.key, "\n" in str(error), bool(error.fix)) == ("split.test", False, True)
        assert str(error).startswith("split.test: ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("chr1:1-1", (0, 1)),
        ("chr1:1,000-1000", (999, 1000)),
        ("chr1:11", (10, 1000)),
        ("chr1:11-", (10, 1000)),
        ("chr1:-11", (0, 11)),
        ("HLA:A*01", (0, 50)),
        ("HLA:A*01:5-6", (4, 6)),
        ("{chr1}:5-9", (4, 9)),
        ("{chr1:5-9}", (0, 30)),
        ("chr1:5-9:2-3", (1, 3)),
    ],
)
def test_the_syntax_is_that_of_samtools(text: str, expected: tuple[int, int]) -> None:
    found = region.parse(text, LENGTHS, "--region")
    assert (found.start, found.end) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("chr1:0-5", "beyond the ends"),
        ("chr1:5-1001", "beyond the ends"),
        ("chr1:1001", "beyond the ends"),
        ("chr1:9-5", "empty"),
        ("chr1:a-b", "is no region"),
        ("chr1:", "is no region"),
        ("chr1:1,00-200", "is no region"),
        ("chrI:1-5", "did you mean chr1?"),
        ("", "no such sequence"),
        ("chr1:5-9", "write {chr1:5-9} or {chr1}:5-9"),
    ],
)
def test_a_wrong_region_is_refused(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem.replace("?", r"\?").replace("{", r"\{")):
        region.parse(text, LENGTHS, "--region")


GENOMES = {"A": {"chr1": 100, "x": 5}, "B": {"chr1": 80}}


def test_a_sequence_is_that_of_every_genome_and_a_prefix_chooses_one() -> None:
    assert region.find("chr1", GENOMES, "split.test") == [Region("A", "chr1", 0, 100), Region("B", "chr1", 0, 80)]
    assert region.find("B:chr1", GENOMES, "split.test") == [Region("B", "chr1", 0, 80)]
    assert region.find("A:chr1:2-3", GENOMES, "split.test") == [Region("A", "chr1", 1, 3)]
    assert region.find("x:2-3", GENOMES, "split.test") == [Region("A", "x", 1, 3)]


def test_a_stretch_of_a_sequence_of_several_genomes_names_the_choices() -> None:
    with pytest.raises(UsageError, match="write A:chr1:2-3 or B:chr1:2-3"):
        region.find("chr1:2-3", GENOMES, "split.test")


regions = st.lists(
    st.builds(lambda start, size: Region("", "a", start, min(start + size, 40)), st.integers(0, 39), st.integers(1, 9)),
    max_size=6,
)


@given(regions)
def test_only_regions_without_a_common_base_pass(found: list[Region]) -> None:
    bases = [base for one in found for base in range(one.start, one.end)]
    items = [(f"split.{'test' if number % 2 else 'validation'}", one) for number, one in enumerate(found)]
    if len(set(bases)) == len(bases):
        region.require_disjoint(items)
        left = region.rest(found, "", "a", 40)
        assert sorted(base for one in left for base in range(one.start, one.end)) == sorted(set(range(40)) - set(bases))
    else:
        with pytest.raises(UsageError, match="overlaps a:"):
            region.require_disjoint(items)
