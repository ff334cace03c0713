"""A comparison as tables, the same for the terminal and the page."""

from __future__ import annotations

from pipelines.comparison import slices
from pipelines.comparison.analysis import Analysis, Difference
from pipelines.comparison.bootstrap import Estimate, Interval
from pipelines.comparison.levels import LEVELS, Level
from pipelines.comparison.lists import KINDS
from pipelines.comparison.masking import Share
from pipelines.report import MISSING, Table

BY_CAPTIONS = {
    "chromosome": "By chromosome",
    "length": "By length of the gene, in bases",
    "introns": "By introns of the gene",
    "biotype": "By biotype of the annotated gene",
}
HEADLINE_LEVELS = ("cds", "gene", "half")
"""The level that slices and conclusions are of: the first of these that is defined for all call sets."""
MAX_PAIRS = 3
MAX_HEADER = 60
"""Letters of all names of call sets that a table for the terminal has as columns; more are numbered."""
NOT_AVAILABLE = "not available"
Rows = list[tuple[object, ...]]


def headline(analysis: Analysis) -> str:
    """The key of the level that sums up a comparison."""
    defined = frozenset.intersection(*(call_set.levels for call_set in analysis.comparison.call_sets))
    return next(level for level in HEADLINE_LEVELS if level in defined)


def format_interval(interval: Interval) -> str:
    """An interval as the text of a cell."""
    return MISSING if interval is None else f"{interval[0]:.3f}–{interval[1]:.3f}"


def format_difference(estimate: Estimate) -> tuple[str, str]:
    """A difference and its interval as the texts of two cells."""
    if estimate.value is None:
        return MISSING, MISSING
    interval = estimate.interval
    return f"{estimate.value:+.3f}", MISSING if interval is None else f"{interval[0]:+.3f} to {interval[1]:+.3f}"


def place(analysis: Analysis) -> str:
    """Where was compared: regions, or names of whole sequences."""
    comparison = analysis.comparison
    whole = all(region.end - region.start == comparison.lengths[region.chromosome] for region in comparison.regions)
    names = list(comparison.lengths) if whole else [str(region) for region in comparison.regions]
    return ", ".join(names[:6]) + (f" and {len(names) - 6:,} more" if len(names) > 6 else "")


def method(analysis: Analysis) -> str:
    """How intervals were computed."""
    resampling = analysis.resampling
    loci = len(analysis.comparison.loci)
    return f"bootstrap over {loci:,} loci, {resampling.samples:,} samples, seed {resampling.seed}"


def figures(analysis: Analysis, number: int) -> Table:
    """Every level of one call set, with the interval of F1."""
    call_set = analysis.comparison.call_sets[number]
    levels = call_set.figures()
    rows: Rows = [
        (*_level_cells(levels[key]), format_interval(analysis.estimates[number][key]["f1"].interval))
        if key in levels
        else (text, *[MISSING] * 6)
        for key, text in LEVELS.items()
    ]
    rows.append((*_level_cells(analysis.comparison.everything), MISSING))
    what = f"{call_set.name} compared" if len(analysis.names) > 1 else "Calls compared"
    header = ("level", "annotated", "called", "sensitivity", "precision", "F1", "95 % of F1")
    return Table(f"{what} with the annotation, on {place(analysis)}", header, rows)


def _level_cells(level: Level) -> tuple[object, ...]:
    sensitivity = level.sensitivity if level.annotated else MISSING
    precision = level.precision if level.called else MISSING
    f1 = level.f1 if level.annotated or level.called else MISSING
    return (level.name, level.annotated, level.called, sensitivity, precision, f1)


def column_names(analysis: Analysis) -> tuple[str, ...]:
    """What call sets are called at the heads of columns: their names, or `(1)`, `(2)`, … where those are too long."""
    if sum(map(len, analysis.names)) <= MAX_HEADER:
        return tuple(analysis.names)
    return tuple(f"({number})" for number in range(1, len(analysis.names) + 1))


def column_key(analysis: Analysis) -> str:
    """The end of a caption that says what numbers stand for; nothing where columns have names."""
    pairs = zip(column_names(analysis), analysis.names, strict=True)
    numbered = [f"{column} {name}" for column, name in pairs if column != name]
    return f"; {', '.join(numbered)}" if numbered else ""


def side_by_side(analysis: Analysis, *, with_intervals: bool = True) -> Table:
    """F1 of all call sets at every level; without intervals, long names are numbers."""
    rows: Rows = []
    for key, text in LEVELS.items():
        cells: list[object] = []
        for of_set in analysis.estimates:
            estimate = of_set[key]["f1"] if key in of_set else Estimate(None, None)
            cells.append(_or_missing(estimate.value))
            cells += [format_interval(estimate.interval)] if with_intervals else []
        rows.append((text, *cells))
    if not with_intervals:
        return Table(f"F1 side by side{column_key(analysis)}", ("level", *column_names(analysis)), rows)
    names = [cell for name in analysis.names for cell in (name, "95 %")]
    return Table("F1 side by side", ("level", *names), rows)


def differences(analysis: Analysis) -> Table:
    """Paired differences in F1, at every level; with many call sets those from the first."""
    pairs = shown_pairs(analysis)
    header = ["level"]
    for pair in pairs:
        header += [f"{analysis.names[pair.first]} − {analysis.names[pair.second]}", "95 %"]
    rows: Rows = []
    for key, text in LEVELS.items():
        cells: list[str] = []
        for pair in pairs:
            cells += format_difference(pair.estimates[key]["f1"]) if key in pair.estimates else (MISSING, MISSING)
        rows.append((text, *cells))
    return Table(f"Differences in F1, paired; {method(analysis)}", tuple(header), rows)


def pairs(analysis: Analysis) -> Table:
    """Paired differences in F1 of every two call sets, at the levels that matter most; long names are numbers."""
    names = column_names(analysis)
    levels = [level for level in ("cds_base", "exon") if all(level in pair.estimates for pair in analysis.differences)]
    levels = [*(levels or ["base_stranded"]), headline(analysis)]
    rows: Rows = []
    for pair in analysis.differences:
        cells = [cell for level in levels for cell in format_difference(pair.estimates[level]["f1"])]
        rows.append((f"{names[pair.first]} − {names[pair.second]}", *cells))
    header = ("", *(cell for level in levels for cell in (LEVELS[level], "95 %")))
    return Table(f"Differences in F1, paired; {method(analysis)}{column_key(analysis)}", header, rows)


def shown_pairs(analysis: Analysis) -> list[Difference]:
    """The differences that tables show."""
    if len(analysis.differences) <= MAX_PAIRS:
        return analysis.differences
    return [pair for pair in analysis.differences if pair.first == 0]


def by_slice(analysis: Analysis, by: str, level: str) -> Table:
    """Figures of each slice at one level, a row for each call set."""
    rows: Rows = []
    for number in range(len(analysis.slices[0][by])):
        for name, of_set in zip(analysis.names, analysis.slices, strict=True):
            part = of_set[by][number]
            estimates = part.estimates.get(level, {})
            sensitivity = estimates.get("sensitivity", Estimate(None, None))
            cells: tuple[object, ...] = (part.genes, _or_missing(sensitivity.value))
            if part.calls is None:
                cells = (*cells, format_interval(sensitivity.interval))
            else:
                precision, f1 = (estimates.get(figure, Estimate(None, None)) for figure in ("precision", "f1"))
                cells = (part.genes, part.calls, _or_missing(sensitivity.value), _or_missing(precision.value))
                cells = (*cells, _or_missing(f1.value), format_interval(f1.interval))
            rows.append((part.name, *_name_cell(analysis, name), *cells))
    first = (by, *_name_cell(analysis, "calls of"))
    header: tuple[str, ...] = ("genes", "calls", "sensitivity", "precision", "F1", "95 % of F1")
    if by == "biotype":
        header = ("genes", "sensitivity", "95 %")
    return Table(f"{BY_CAPTIONS[by]}: {LEVELS[level]}", (*first, *header), rows)


def slices_side_by_side(analysis: Analysis, by: str, level: str) -> Table:
    """F1 (by biotype: sensitivity) of each slice at one level, a column for each call set; long names are numbers."""
    figure = "sensitivity" if by == "biotype" else "f1"
    rows: Rows = []
    for number, part in enumerate(analysis.slices[0][by]):
        parts = [of_set[by][number].estimates.get(level, {}).get(figure) for of_set in analysis.slices]
        rows.append((part.name, part.genes, *(_or_missing(one.value if one else None) for one in parts)))
    what = "sensitivity" if by == "biotype" else "F1"
    caption = f"{BY_CAPTIONS[by]}: {what} of {LEVELS[level]}{column_key(analysis)}"
    return Table(caption, (by, "genes", *column_names(analysis)), rows)


def findings(analysis: Analysis) -> Table:
    """How many genes each call set fuses, splits, misses and invents; long names are numbers."""
    rows: Rows = [
        (kind.replace("_", " "), *(len(of_set[kind]) for of_set in analysis.findings), text)
        for kind, text in KINDS.items()
    ]
    if len(analysis.names) == 1:
        return Table("Genes fused, split, missed and invented", ("", "number", "what"), rows)
    caption = f"Genes fused, split, missed and invented{column_key(analysis)}"
    return Table(caption, ("", *column_names(analysis), "what"), rows)


def false_genes(analysis: Analysis) -> Table:
    """False genes per megabase of soft-masked and other sequence."""
    rows: Rows = []
    for name, of_set in zip(analysis.names, analysis.false_genes, strict=True):
        parts = (("all", of_set.total), ("soft-masked", of_set.soft_masked), ("other", of_set.other))
        rows += [(*_name_cell(analysis, name), kind, *_share_cells(share)) for kind, share in parts]
    header = (*_name_cell(analysis, "calls of"), "sequence", "Mb", "false genes", "per Mb")
    return Table("False genes: calls that touch no annotated gene on either strand", header, rows)


def _share_cells(share: Share | None) -> tuple[object, ...]:
    if share is None:
        return (NOT_AVAILABLE, MISSING, MISSING)
    return (share.bases / 1e6, share.false_genes, _or_missing(share.per_megabase))


def terminal_tables(analysis: Analysis) -> list[Table]:
    """The tables that the terminal shows: slices only where there are several."""
    several, level = len(analysis.names) > 1, headline(analysis)
    tables = [figures(analysis, number) for number in range(len(analysis.names))]
    if several:
        scores, two = side_by_side(analysis, with_intervals=False), len(analysis.names) == 2
        tables += [_joined(scores, differences(analysis))] if two else [scores, pairs(analysis)]
    by_slices = slices_side_by_side if several else by_slice
    tables += [by_slices(analysis, by, level) for by in slices.BY if len(analysis.slices[0][by]) > 1]
    return [*tables, findings(analysis), false_genes(analysis)]


def _joined(first: Table, second: Table) -> Table:
    """The columns of two tables with the same first column."""
    rows = [(*left, *right[1:]) for left, right in zip(first.rows, second.rows, strict=True)]
    return Table(f"{first.caption}. {second.caption}", (*first.header, *second.header[1:]), rows)


def _name_cell(analysis: Analysis, name: str) -> tuple[str, ...]:
    """A cell with the name of a call set if there are several; nothing for a single one."""
    return (name,) if len(analysis.names) > 1 else ()


def _or_missing(value: float | None) -> object:
    return MISSING if value is None else value
