from __future__ import annotations

from xml.etree import ElementTree

from training.annotate.page import charts
from training.annotate.page.summary import SCORE_BINS, Lengths


def bars(drawn: str | None) -> list[float]:
    """Heights of the bars of a chart."""
    assert drawn is not None
    boxes = (one for one in ElementTree.fromstring(drawn).iter() if one.tag.endswith("rect"))
    return [float(box.get("height", "0")) for box in boxes]


def counted(*lengths: int) -> Lengths:
    made = Lengths()
    for length in lengths:
        made.add(length)
    return made


def test_lengths_are_bars_with_the_median() -> None:
    drawn = charts.lengths(counted(90, 95, 95, 1000, 2000), "genes")
    heights = bars(drawn)
    assert len(heights) == 3
    assert max(heights) == heights[0]
    assert "median 95" in str(drawn)


def test_what_falls_into_one_bar_is_not_drawn() -> None:
    assert charts.lengths(counted(100, 101), "genes") is None
    assert charts.lengths(counted(), "genes") is None
    assert charts.exons({1: 40}) is None
    assert charts.scores({"one exon": [0] * SCORE_BINS, "with introns": [0] * (SCORE_BINS - 1) + [9]}) is None


def test_genes_of_many_exons_share_the_last_bar() -> None:
    drawn = str(charts.exons({1: 10, 3: 5, 15: 1, 40: 2, 90: 1}))
    assert "15+" in drawn
    assert len(bars(drawn)) == 3
    assert "15+" not in str(charts.exons({1: 10, 15: 5}))


def test_a_sequence_is_a_line_with_areas_of_both_strands_below_each_other() -> None:
    drawn = str(
        charts.along({"chr1": ([1, 0, 2], [0, 3, 0]), "a-very-long-name-of-a-scaffold": ([0], [1])}, 1000, 3, 3)
    )
    assert drawn.count("<polygon") == 4
    assert "a-ve…affold" in drawn
    assert "1 kb" in drawn


def test_scores_of_both_kinds_are_stacked() -> None:
    one_exon, with_introns = [0] * SCORE_BINS, [0] * SCORE_BINS
    one_exon[-1], with_introns[-1], with_introns[0] = 30, 10, 20
    drawn = str(charts.scores({"one exon": one_exon, "with introns": with_introns}))
    # Two are of the legend.
    assert sorted(round(height) for height in bars(drawn)) == sorted([10, 10, 37, 74, 111])
