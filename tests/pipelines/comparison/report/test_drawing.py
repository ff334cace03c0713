from __future__ import annotations

from matplotlib.patches import Rectangle

from pipelines.comparison.analysis import Analysis
from pipelines.comparison.report import drawing
from pipelines.comparison.report.drawing import Window
from pipelines.gene_models.model import Gene, Transcript
from tests.pipelines.comparison.report.conftest import Make, gene


def texts(analysis: Analysis, window: Window, focus: tuple[Gene, ...] = ()) -> list[str]:
    (axes,) = drawing.draw(analysis.comparison, window, focus).axes
    return [text.get_text() for text in axes.texts]


def test_the_annotation_is_above_the_call_sets_and_all_are_named(two: Analysis) -> None:
    (axes,) = drawing.draw(two.comparison, Window("b", 0, 2000)).axes
    tracks = {text.get_text(): text.get_position()[1] for text in axes.texts}
    assert tracks["annotation"] > tracks["caller"] > tracks["perfect"]
    assert {"fuses (+)", "g1 (+)", "g3 (+)"} <= set(tracks)
    assert axes.get_xlabel() == "b, position in bases"


def test_exons_are_thin_boxes_and_coding_parts_thick_ones(make_analysis: Make) -> None:
    transcript = Transcript("t", ((100, 300), (500, 900)), ((200, 300), (500, 600)))
    one = Gene("g", "a", 100, 900, "+", (transcript,))
    (axes,) = drawing.draw(make_analysis({"calls": []}, genes=[one]).comparison, Window("a", 0, 1000)).axes
    boxes: dict[float, list[tuple[float, float]]] = {}
    for patch in axes.patches:
        assert isinstance(patch, Rectangle)
        boxes.setdefault(patch.get_height(), []).append((patch.get_x(), patch.get_width()))
    assert boxes[min(boxes)] == [(100, 200), (500, 400)]
    assert boxes[max(boxes)] == [(200, 100), (500, 100)]


def test_what_reaches_out_of_the_window_is_cut(make_analysis: Make) -> None:
    analysis = make_analysis({"calls": []}, genes=[gene("g", (100, 900), (950, 2000))])
    (axes,) = drawing.draw(analysis.comparison, Window("a", 500, 1000)).axes
    ends = {(box.get_x(), box.get_x() + box.get_width()) for box in axes.patches if isinstance(box, Rectangle)}
    assert ends == {(500, 900), (950, 1000)}


def test_nothing_on_a_track_is_said(make_analysis: Make) -> None:
    analysis = make_analysis({"calls": []}, genes=[gene("g", (100, 900))])
    assert "nothing here" in texts(analysis, Window("a", 0, 1000))


def test_more_than_fit_are_counted_and_what_it_is_about_is_among_the_drawn(make_analysis: Make) -> None:
    genes = [gene(f"g{number}", (100 + number, 900 + number)) for number in range(9)]
    labels = texts(make_analysis({"calls": []}, genes=genes), Window("a", 0, 1000), (genes[8],))
    assert "g8 (+)" in labels
    assert "g5 (+)" not in labels
    assert "and 4 more" in labels


def test_the_isoforms_of_a_gene_share_a_name(make_analysis: Make) -> None:
    transcripts = tuple(Transcript(f"t{number}", ((100, 200 + number), (400, 900))) for number in range(5))
    labels = texts(
        make_analysis({"calls": []}, genes=[Gene("g", "a", 100, 900, "-", transcripts)]), Window("a", 0, 1000)
    )
    assert [label for label in labels if label.startswith("g")] == ["g (−), 2 more isoforms"]


def test_a_window_has_a_flank_and_stays_on_its_sequence() -> None:
    assert drawing.window_of("a", 5000, 7000, 10_000) == Window("a", 4800, 7200)
    assert drawing.window_of("a", 50, 60, 120) == Window("a", 0, 120)
