"""The page: what is gathered of the gene models while they are written, then put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pipelines import report
from pipelines.display import counted
from pipelines.gene_models.model import Gene
from pipelines.genome.region import Region
from pipelines.report import MISSING, Plot, Svg
from training.annotate.outputs import Counts
from training.annotate.page import charts, drawing, examples, probabilities
from training.annotate.page.examples import Choice, Example
from training.annotate.page.summary import KINDS, Row, Summary
from training.annotate.sequence_scores import SequenceScores

THRESHOLDS = (0, 10, 25, 50, 75, 90)
"""Lowest scores, in hundredths, for which the page counts what is left."""
MAX_LANES, MIN_GENES_ALONG = 12, 20
"""Sequences on a picture, and genes of a genome of which it shows anything."""
Facts = Sequence[tuple[str, str]]
"""Names and values."""


class PageContents:
    """What a page needs of all gene models, gathered in bounded memory.

    Args:
        lengths: bases of every sequence, in the order of the genes.
    """

    def __init__(self, lengths: Mapping[str, int]) -> None:
        self.summary, self.choice = Summary(lengths), Choice(lengths)

    def add(self, gene: Gene) -> None:
        """Take a gene of one transcript into account."""
        self.summary.add(gene)
        self.choice.add(gene)


def write(
    path: Path,
    contents: PageContents,
    counts: Counts,
    genes: Callable[[], Iterable[Gene]],
    sequences: Iterable[SequenceScores],
    scores_folder: Path,
    provenance: Facts,
    decoding: Facts,
) -> None:
    """Write the page, whole or not at all.

    Args:
        path: of the page.
        contents: gathered of all gene models.
        counts: of the same.
        genes: gives all gene models once more, for the pictures.
        sequences: where scores lie.
        scores_folder: directory of the scores.
        provenance: what was annotated with what.
        decoding: settings of the decoder.

    Raises:
        DatasetError: scores are missing or damaged.
        ResourceError: the file cannot be written.
    """
    chosen = contents.choice.chosen()
    shown = _in_windows(genes() if chosen else (), [example.window for example in chosen])
    located = {
        one.chromosome: one for one in sequences if any(one.chromosome == each.window.chromosome for each in chosen)
    }
    plots = [
        _picture(example, located[example.window.chromosome], scores_folder, of_window)
        for example, of_window in zip(chosen, shown, strict=True)
    ]
    build(contents.summary, counts, plots, provenance, decoding).write(path)


def _in_windows(genes: Iterable[Gene], windows: Sequence[Region]) -> list[list[Gene]]:
    """The genes of each window, in their order."""
    found: list[list[Gene]] = [[] for _ in windows]
    by_sequence: dict[str, list[int]] = {}
    for number, window in enumerate(windows):
        by_sequence.setdefault(window.chromosome, []).append(number)
    for gene in genes:
        for number in by_sequence.get(gene.chromosome, ()):
            if windows[number].overlaps(gene.start, gene.end):
                found[number].append(gene)
    return found


def _picture(example: Example, located: SequenceScores, folder: Path, genes: Sequence[Gene]) -> Plot:
    window, gene = example.window, example.gene
    edges = probabilities.column_edges(window.start, window.end, drawing.COLUMNS)
    means = probabilities.of_stretch(located, folder, edges)
    transcript = gene.transcripts[0]
    exons, coding = len(transcript.exons), sum(end - start for start, end in transcript.cds)
    partial = ", cut by the end of the sequence" if transcript.is_partial_start or transcript.is_partial_stop else ""
    longest = ""
    if example.kind == "intron":
        longest = f", longest intron {max(end - start for start, end in transcript.introns):,} bases"
    where = f"{window.chromosome}:{gene.start + 1:,}-{gene.end:,} ({gene.strand.replace('-', '−')})"
    what = f"{gene.gene_id}, {where}: score {gene.score:.3f}, {counted(exons, 'exon')}, {coding:,} coding bases"
    figure = drawing.draw(window, means, genes, gene.gene_id)
    title = examples.TITLES[example.kind]
    return Plot(title, figure, f"{what}{longest}{partial}.", example.kind, f"{title}: {what}")


def build(
    summary: Summary, counts: Counts, pictures: Sequence[Plot], provenance: Facts, decoding: Facts
) -> report.Page:
    """Build the page, the same bytes for the same annotation.

    Args:
        summary: of all gene models.
        counts: of the same.
        pictures: of some of them.
        provenance: what was annotated with what.
        decoding: settings of the decoder.
    """
    total = summary.total
    subtitle = " · ".join(value for name, value in provenance if name in ("model", "genome"))
    page = report.Page("Gene models of a genome", subtitle)
    page.paragraph(_lead(summary, total, counts.left_out), lead=True)
    page.table("Gene models", ("", "number", "share, or mean of a gene"), _counts(summary, total, counts))
    if total.genes:
        page.heading("Lengths, exons and scores")
        page.table(
            "Lengths in bases",
            ("of", "number", "shortest tenth", "median", "mean", "longest tenth", "longest"),
            _lengths(summary),
        )
        page.figures(*_charts(summary))
        if thresholds := _thresholds(summary, total, counts.left_out):
            which = "What a higher --min-score would leave" if counts.left_out else "What --min-score would leave"
            page.table(which, ("lowest score", "genes", "share"), thresholds)
    if pictures:
        page.heading("Some gene models")
        page.paragraph(
            "Each picture has both strands: above, how probable the network holds each state to be (the areas add up "
            "to 1); below, the gene models that the decoder made of it, with their scores. Boxes are coding, thin ones "
            "untranslated, lines introns. A good model lies under clear areas of its own shape. The gene that a "
            "picture is about is in bold."
        )
        page.figures(*pictures)
    page.heading("Sequences")
    _add_sequences(page, summary)
    page.provenance(provenance)
    page.table("Settings of the decoder", ("", "value"), list(decoding), folded=True)
    return page


def _lead(summary: Summary, total: Row, left_out: int) -> str:
    if not total.genes and left_out:
        return f"No gene model in {_bases(total.bases)} reaches --min-score: {left_out:,} left out."
    if not total.genes:
        return f"No gene model in {_bases(total.bases)}: is the genome like those that the model was trained on?"
    spliced = (total.genes - total.one_exon) / total.genes * 100
    return (
        f"{counted(total.genes, 'gene model')} in {_bases(total.bases)}, "
        f"{total.genes * 1e6 / total.bases:,.0f} per megabase: {_share(total.coding, total.bases)} of the bases code, "
        f"{spliced:.0f} % of the genes have introns, and the median gene is "
        f"{summary.lengths['genes'].quantile(0.5):,} bases long."
    )


def _bases(bases: int) -> str:
    return f"{bases / 1e6:,.2f} Mb" if bases >= 1e5 else f"{bases:,} bases"


def _counts(summary: Summary, total: Row, counts: Counts) -> list[tuple[object, ...]]:
    genes, introns = total.genes, summary.lengths["introns"].number
    rows: list[tuple[object, ...]] = [
        ("genes", genes, ""),
        ("forward strand", total.forward, _share(total.forward, genes)),
        ("reverse strand", total.reverse, _share(total.reverse, genes)),
        ("start to stop codon", genes - total.partial, _share(genes - total.partial, genes)),
        ("cut by a sequence's end", total.partial, _share(total.partial, genes)),
        ("one exon", total.one_exon, _share(total.one_exon, genes)),
        ("exons", total.exons, f"{total.exons / genes:.2f}" if genes else MISSING),
        ("introns", introns, f"{introns / genes:.2f}" if genes else MISSING),
        ("coding bases", total.coding, _share(total.coding, total.bases)),
        ("bases of the genome", total.bases, ""),
        ("sequences without a gene", summary.without_genes, ""),
    ]
    if counts.left_out:
        rows.append(("left out by --min-score", counts.left_out, ""))
    if counts.too_short:
        rows.append(("dropped: too short", counts.too_short, ""))
    return rows


def _lengths(summary: Summary) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for kind in KINDS:
        if not (of := summary.lengths[kind]).number:
            continue
        middle = (of.quantile(0.1), of.quantile(0.5), round(of.bases / of.number), of.quantile(0.9))
        rows.append((kind, of.number, *middle, of.longest))
    return rows


def _charts(summary: Summary) -> list[Plot]:
    drawn: list[tuple[str, Svg | None, str, str]] = [
        (f"Lengths of {kind}", charts.lengths(summary.lengths[kind], kind), "", f"length-{kind.replace(' ', '-')}")
        for kind in KINDS
    ]
    drawn.append(("Exons of a gene", charts.exons(summary.exons), "", "exons"))
    text = "The posterior probability of a gene's whole coding structure: 1 where the network leaves no other."
    drawn.append(("Scores", charts.scores(summary.scores), text, "scores"))
    return [Plot(title, figure, text, name) for title, figure, text, name in drawn if figure is not None]


def _thresholds(summary: Summary, total: Row, left_out: int) -> list[tuple[object, ...]]:
    """Rows of lowest scores; where genes are left out, of those alone that leave out more: the others are not known."""
    numbers = [(lowest, summary.with_score_of(lowest)) for lowest in THRESHOLDS]
    return [
        (f"{lowest / 100:g}", genes, _share(genes, total.genes))
        for lowest, genes in numbers
        if not left_out or genes < total.genes
    ]


def _add_sequences(page: report.Page, summary: Summary) -> None:
    if summary.total.genes >= MIN_GENES_ALONG:
        page.figures(*_along(summary))
    header = ("sequence", "bases", "genes", "per Mb", "+", "−", "exons per gene", "one exon", "partial", "coding")
    rows = [
        (
            *(row.name, row.bases, row.genes, round(row.genes * 1e6 / row.bases), row.forward, row.reverse),
            f"{row.exons / row.genes:.2f}" if row.genes else MISSING,
            *(_share(row.one_exon, row.genes), row.partial, _share(row.coding, row.bases)),
        )
        for row in summary.rows
    ]
    page.table("By sequence; the longest if there are many", header, rows)


def _along(summary: Summary) -> list[Plot]:
    """Genes along the longest sequences; many are on two pictures side by side."""
    lanes = list(summary.along.items())
    most = max(max(counts) for _, strands in lanes for counts in strands)
    if not most:
        return []
    size = len(lanes) if len(lanes) <= MAX_LANES else -(-len(lanes) // 2)
    text = (
        f"Genes in stretches of {summary.part_bases:,} bases, forward strand above each line and reverse strand below; "
        f"the highest bar is {counted(most, 'gene')}."
    )
    parts = max(len(strands[0]) for _, strands in lanes)
    drawn = [lanes[first : first + size] for first in range(0, len(lanes), size)]
    return [
        Plot("Along the sequences", charts.along(dict(part), summary.part_bases, parts, most), text, f"along-{number}")
        for number, part in enumerate(drawn, 1)
    ]


def _share(part: int, whole: int) -> str:
    return f"{part / whole * 100:.1f} %" if whole else MISSING
