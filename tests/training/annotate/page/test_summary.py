from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.training.annotate.page.genes import gene, spliced, summary
from training.annotate.page import summary as summaries
from training.annotate.page.summary import Lengths


@given(st.lists(st.integers(1, 5_000_000), min_size=1, max_size=60), st.sampled_from([0.1, 0.5, 0.9]))
def test_a_quantile_is_that_of_the_sorted_lengths_to_half_a_percent(lengths: list[int], share: float) -> None:
    counted = Lengths()
    for length in lengths:
        counted.add(length)
    exact = sorted(lengths)[max(-(-round(share * 10) * len(lengths) // 10), 1) - 1]
    assert abs(counted.quantile(share) - exact) <= (0 if exact < 1000 else 0.005 * exact)
    assert (counted.number, counted.bases, counted.longest) == (len(lengths), sum(lengths), max(lengths))


def test_lengths_of_a_large_genome_take_a_bounded_number_of_counters() -> None:
    counted = Lengths()
    for length in range(1, 3_000_000, 37):
        counted.add(length)
    assert len(counted.counts) < 4_000


def test_genes_are_counted_by_strand_exons_and_what_is_missing() -> None:
    genes = [gene((10, 40)), spliced(100, 2, strand="-"), gene((900, 1000), partial=True, strand="-")]
    total = summary(genes, {"chr1": 1000}).total
    assert (total.genes, total.forward, total.reverse) == (3, 1, 2)
    assert (total.one_exon, total.partial, total.exons, total.coding) == (2, 1, 5, 430)


def test_lengths_are_of_genes_coding_sequences_exons_and_introns() -> None:
    lengths = summary([spliced(100, 2)], {"chr1": 1000}).lengths
    assert {kind: (one.number, one.bases) for kind, one in lengths.items()} == {
        "genes": (1, 400),
        "coding sequences": (1, 300),
        "exons": (3, 300),
        "introns": (2, 100),
    }


def test_the_longest_sequences_have_rows_in_the_order_of_the_genome_and_the_others_share_one() -> None:
    lengths = {f"s{number}": 100 + number % 50 for number in range(200)}
    genes = [gene((0, 90), chromosome=name) for name in lengths if name != "s3"]
    made = summary(genes, lengths)
    rows = made.rows
    assert len(rows) == summaries.MAX_SEQUENCES + 1
    named = [int(row.name[1:]) for row in rows[:-1]]
    assert named == sorted(named)
    assert min(row.bases for row in rows[:-1]) >= 144
    assert (rows[-1].name, rows[-1].sequences) == ("176 others", 176)
    assert sum(row.genes for row in rows) == made.total.genes == 199
    assert sum(row.bases for row in rows) == sum(lengths.values())
    assert made.without_genes == 1


def test_genes_are_counted_along_a_sequence_by_their_middle() -> None:
    made = summary([gene((0, 9)), gene((90, 130), strand="-"), gene((15_990, 16_000))], {"chr1": 16_000, "s": 150})
    forward, reverse = made.along["chr1"]
    assert (made.part_bases, len(forward), len(made.along["s"][0])) == (100, 160, 2)
    assert [part for part, count in enumerate(forward) if count] == [0, 159]
    assert [part for part, count in enumerate(reverse) if count] == [1]


def test_scores_are_counted_for_every_threshold() -> None:
    made = summary([gene((0, 90), score=score) for score in (0.0, 0.1, 0.499, 0.5, 1.0)], {"chr1": 100})
    assert [made.with_score_of(lowest) for lowest in (0, 10, 50, 100)] == [5, 4, 2, 1]
    assert sum(made.scores["one exon"]) == 5
    assert made.scores["one exon"][-1] == 1
