from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from pipelines import metrics, report
from pipelines.display import shown
from pipelines.report import Page
from training.evaluation.recognition import Evaluation, plots
from training.evaluation.recognition.slices import MIN_ROWS, Slice


def slice_of(auroc: float | None, interval: tuple[float, float] | None, rows: int = 100, name: str = "chr") -> Slice:
    return Slice(name, rows, rows, {"auroc": auroc}, interval)


def with_slices(evaluated: Evaluation, by: str, slices: list[Slice]) -> Evaluation:
    models = [replace(model, slices=model.slices | {by: slices}) for model in evaluated.models]
    return replace(evaluated, models=models)


def by_name(drawn: list[plots.Plot]) -> dict[str, plots.Plot]:
    return {plot.name: plot for plot in drawn}


def points(figure: Figure) -> list[tuple[float, float]]:
    """Coordinates of the dots of a plot: the lines with one point."""
    lines = [line for line in figure.axes[0].lines if len(np.atleast_1d(line.get_xdata())) == 1]
    return [(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in lines]


def test_the_dot_of_a_model_is_at_the_rates_of_its_own_threshold(evaluated: Evaluation) -> None:
    labels, scores = evaluated.dataset.labels, evaluated.models[0].probabilities
    threshold = float(np.quantile(scores, 0.3))
    called = scores >= threshold
    values = metrics.binary_metrics(labels, scores, threshold)
    model = replace(evaluated.models[0], threshold=threshold, metrics=values)
    drawn = by_name(plots.curves(replace(evaluated, models=[model])))
    assert points(drawn["roc"].figure) == [
        pytest.approx((called[labels == 0].mean(), called[labels == 1].mean())),
    ]
    assert points(drawn["precision-recall"].figure) == [
        pytest.approx((called[labels == 1].mean(), labels[called].mean())),
    ]


def test_the_legend_of_a_curve_lists_models_before_rules(side_by_side: Evaluation) -> None:
    legend = by_name(plots.curves(side_by_side))["roc"].figure.axes[0].get_legend()
    labels = [text.get_text().rpartition(" ")[0] for text in legend.get_texts()]
    assert labels == ["first", "second", *(rule.description for rule in side_by_side.rules[: plots.MAX_RULES])]


def test_a_slice_without_an_interval_is_not_drawn(evaluated: Evaluation) -> None:
    shown, hidden = slice_of(0.8, (0.7, 0.95)), slice_of(0.9, None, rows=MIN_ROWS - 1)
    evaluation = with_slices(evaluated, "chromosome", [shown, hidden, shown])
    (container,) = by_name(plots.slices(evaluation))["chromosome"].figure.axes[0].containers
    values = container.lines[0].get_xdata()
    assert values[0] == 0.8
    assert np.isnan(values[1])
    assert values[2] == 0.8
    ends = container.lines[2][0].get_segments()[0][:, 0]
    assert ends == pytest.approx([0.7, 0.95])


def test_a_plot_of_a_single_point_is_left_out(evaluated: Evaluation) -> None:
    one = [slice_of(0.8, (0.7, 0.95)), slice_of(0.9, None, rows=MIN_ROWS - 1)]
    assert "chromosome" not in by_name(plots.slices(with_slices(evaluated, "chromosome", one)))


def test_of_many_chromosomes_those_with_most_rows_are_drawn_in_their_order(evaluated: Evaluation) -> None:
    slices = [slice_of(0.8, (0.7, 0.9), rows=100 + number, name=f"chr{number}") for number in range(30)]
    plot = by_name(plots.slices(with_slices(evaluated, "chromosome", slices)))["chromosome"]
    labels = [label.get_text() for label in plot.figure.axes[0].get_yticklabels()]
    assert labels == [f"chr{number}" for number in range(30 - plots.MAX_SLICES, 30)]
    assert plot.text.startswith("The 25 of 30 chromosomes with most intervals. ")


def test_genomes_and_chromosomes_share_an_axis_that_holds_every_value(evaluated: Evaluation) -> None:
    evaluation = with_slices(evaluated, "chromosome", [slice_of(0.62, (0.47, 0.7)), slice_of(0.9, (0.8, 1.0))])
    evaluation = with_slices(evaluation, "genome", [slice_of(0.8, (0.75, 0.9)), slice_of(0.7, (0.65, 0.8))])
    drawn = by_name(plots.slices(evaluation))
    ranges = [drawn[name].figure.axes[0].get_xlim() for name in ("genome", "chromosome")]
    assert ranges == [pytest.approx((0.445, 1.005))] * 2


def test_models_that_share_a_line_lie_apart_around_it(side_by_side: Evaluation) -> None:
    axes = by_name(plots.slices(side_by_side))["length"].figure.axes[0]
    first, second = (container.lines[0].get_xdata() for container in axes.containers)
    assert (second - first == 0.25).all()
    assert ((first + second) / 2 == np.arange(len(first))).all()


def test_precision_is_not_drawn_where_nothing_is_called(evaluated: Evaluation) -> None:
    (model,) = evaluated.models
    low = replace(model, probabilities=np.full(len(evaluated.dataset), 0.3))
    axes = by_name(plots.probabilities(replace(evaluated, models=[low])))["threshold"].figure.axes[0]
    precision = next(line for line in axes.lines if line.get_label() == "precision").get_ydata()
    drawn = np.array(plots.SWEEP_THRESHOLDS)[~np.isnan(precision)]
    assert drawn.max() == 0.3


def test_no_two_of_the_first_24_models_look_the_same() -> None:
    assert len({report.series_style(number) for number in range(24)}) == 24


HOSTILE = (
    "$x$ $\\frac{$",
    "$$",
    "a_{b}^\\",
    "_hidden",
    "</svg><script>alert(1)</script>",
    "\x1b[2J\u202e",
    "染色体",
    "--> <!--",
    "%d",
)


def test_every_plot_draws_every_name_as_it_is(side_by_side: Evaluation) -> None:
    names = itertools.cycle(HOSTILE)
    (model, _) = side_by_side.models
    models = [
        replace(
            model,
            name=f"{name}{number}",
            slices={by: [replace(part, name=next(names)) for part in parts] for by, parts in model.slices.items()},
        )
        for number, name in enumerate(HOSTILE)
    ]
    hostile = replace(side_by_side, models=models)
    page = Page("".join(HOSTILE), "".join(HOSTILE))
    slices = plots.slices(hostile)
    for drawn in (plots.curves(hostile), plots.probabilities(hostile), slices):
        page.figures(*drawn)
    html = page.html()
    assert "<script" not in html
    assert not set(html) & set("\x1b\u202e")
    legend = slices[0].figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text().strip().replace("\\$", "$") for text in legend.get_texts()] == [
        shown(f"{name}{number}") for number, name in enumerate(HOSTILE)
    ]
