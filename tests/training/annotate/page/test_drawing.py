from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from pipelines.genome.region import Region
from tests.training.annotate.page.genes import gene, spliced
from training.annotate.page import drawing
from training.annotate.page.drawing import COLOURS

WINDOW = Region("", "chr1", 1000, 5000)


def certain(columns: int = 40) -> NDArray[np.float64]:
    """Coding in the middle of the forward strand, intergenic elsewhere."""
    means = np.zeros((2, 4, columns))
    means[:, 3] = 1
    means[0, :, 10:20] = [[1], [0], [0], [0]]
    return means


def test_states_that_are_nowhere_are_not_in_the_legend() -> None:
    drawn = drawing.draw(WINDOW, certain(), [], "")
    assert ">CDS<" in drawn
    assert ">intergenic<" in drawn
    assert ">UTR<" not in drawn
    assert drawn.count("<polygon") == 2  # the area, and the mark of a start in the legend


def test_exons_are_boxes_and_the_gene_in_focus_is_bold() -> None:
    genes = [spliced(2000, 3, name="mine", score=0.876), spliced(3500, 1, name="other", strand="-")]
    drawn = drawing.draw(WINDOW, certain(), genes, "mine")
    boxes = re.findall(rf'<rect [^>]*height="{drawing._THICK}" fill="{COLOURS["CDS"]}"', drawn)
    assert len(boxes) == 6
    assert re.search(r'font-weight="700">mine 0.88<', drawn)
    assert not re.search(r'font-weight="700">other', drawn)


def test_genes_that_overlap_lie_on_lines_of_their_own_and_many_are_counted() -> None:
    genes = [gene((2000, 3000), name=f"g{number}") for number in range(9)]
    drawn = drawing.draw(WINDOW, certain(), genes, "g5")
    assert "g5 0.90" in drawn
    assert f"and {9 - drawing.MAX_LINES} more" in drawn


def test_nothing_is_drawn_outside_of_the_picture() -> None:
    drawn = drawing.draw(WINDOW, certain(), [gene((0, 9000)), gene((4990, 9000), strand="-")], "")
    edges = [float(x) + float(width) for x, width in re.findall(r'<rect x="([-\d.]+)"[^>]* width="([-\d.]+)"', drawn)]
    assert min(edges) >= 0
    assert max(edges) <= drawing.WIDTH


def test_a_strand_without_a_gene_says_so_and_a_cut_end_has_no_stop() -> None:
    stops = drawing.draw(WINDOW, certain(), [gene((2000, 3000))], "").count("#b5653a")
    cut = drawing.draw(WINDOW, certain(), [gene((2000, 3000), partial=True)], "")
    assert cut.count("#b5653a") == stops - 1
    assert cut.count("no gene model") == 1


def test_short_genes_of_a_long_stretch_have_neither_names_nor_marks() -> None:
    window = Region("", "chr1", 0, 1_000_000)
    genes = [gene((5000 * number, 5000 * number + 900), name=f"g{number}") for number in range(100)]
    drawn = drawing.draw(window, certain(), genes, "g50")
    assert re.findall(r">(g\d+)", drawn) == ["g50"]
    assert "more" not in drawn
