"""A comparison as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines import report
from pipelines.comparison import slices
from pipelines.comparison.analysis import Analysis
from pipelines.comparison.report import conclusions, drawing, examples, plots, tables
from pipelines.report import Plot

MAX_OPEN_ROWS = 24


def build_page(analysis: Analysis, inputs: Sequence[tuple[str, str]], command: str = "") -> report.Page:
    """Build the page, the same bytes for the same comparison.

    Args:
        analysis: what is shown.
        inputs: name and value of each file and flag that decided what was compared.
        command: that it was made by; empty if it is not known.
    """
    comparison = analysis.comparison
    megabases = sum(region.end - region.start for region in comparison.regions) / 1e6
    page = report.Page(
        "Gene calls compared with the annotation",
        f"{', '.join(analysis.names)} · {len(comparison.genes):,} annotated genes in {megabases:,.2f} Mb of "
        f"{tables.place(analysis)}",
    )
    for sentence in conclusions.conclude(analysis):
        page.paragraph(sentence, lead=True)
    _add_figures(page, analysis)
    page.heading("Where calls are right, and where not")
    level = tables.headline(analysis)
    page.figures(*plots.all_plots(analysis))
    for by in slices.BY:
        table = tables.by_slice(analysis, by, level)
        page.add(table, folded=len(table.rows) > MAX_OPEN_ROWS)
    page.heading("Fused, split, missed and invented genes")
    page.add(tables.findings(analysis))
    page.add(tables.false_genes(analysis))
    if chosen := examples.choose(analysis):
        page.heading("Some loci")
        page.paragraph(
            "Exons are boxes, coding parts thicker, introns lines; chevrons point in reading direction. Each picture "
            "shows the gene of median length among those of its kind, of the call set that has most of them; the exact "
            "one is that with most introns."
        )
        page.figures(*(_plot(analysis, example) for example in chosen))
    page.provenance([*inputs, ("intervals", tables.method(analysis)), ("command", command)])
    return page


def _add_figures(page: report.Page, analysis: Analysis) -> None:
    several = len(analysis.names) > 1
    if several:
        page.add(tables.side_by_side(analysis))
        page.add(tables.differences(analysis))
    for number in range(len(analysis.names)):
        page.add(tables.figures(analysis, number), folded=several)
    page.paragraph(
        f"Intervals are percentiles of a {tables.method(analysis)}: genes that overlap are drawn together. All call "
        "sets see the same samples, so differences are paired. Genes of one genome are alike, so the spread between "
        "genomes is wider."
    )


def _plot(analysis: Analysis, example: examples.Example) -> Plot:
    return Plot(
        f"{examples.TITLES[example.kind]}, {example.window}",
        drawing.draw(analysis.comparison, example.window, example.focus),
        example.text,
        example.kind.replace("_", "-"),
    )
