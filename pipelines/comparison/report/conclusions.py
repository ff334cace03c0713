"""The conclusion of a comparison in a sentence, and cautions."""

from __future__ import annotations

from pipelines.comparison.analysis import Analysis
from pipelines.comparison.levels import LEVELS
from pipelines.comparison.report import tables


def conclude(analysis: Analysis) -> list[str]:
    """What the call sets score at the level that sums up, and whether the best two differ."""
    level = tables.headline(analysis)
    values = [of_set[level]["f1"] for of_set in analysis.estimates]
    scored = [(value.value or 0.0, number) for number, value in enumerate(values)]
    ranked = sorted(scored, key=lambda pair: (-pair[0], pair[1]))
    parts = []
    for score, number in ranked:
        interval = values[number].interval
        within = f" (95 % {tables.format_interval(interval)})" if interval else ""
        parts.append(f"{analysis.names[number]} {score:.3f}{within}" if len(ranked) > 1 else f"{score:.3f}{within}")
    sentence = f"F1 of {LEVELS[level]}: {', '.join(parts)}."
    if len(ranked) == 1:
        return [sentence]
    return [f"{sentence} {_compare(analysis, level, ranked[0][1], ranked[1][1])}"]


def _compare(analysis: Analysis, level: str, best: int, next_: int) -> str:
    low, high = sorted((best, next_))
    pair = next(one for one in analysis.differences if (one.first, one.second) == (low, high))
    interval = pair.estimates[level]["f1"].interval
    if interval is None:
        if not analysis.resampling.samples:
            return "Without bootstrap samples nothing says whether they differ by chance."
        return "There are too few loci to tell them apart."
    ends = interval if best == low else (-interval[1], -interval[0])
    text = f"{analysis.names[best]} − {analysis.names[next_]}: 95 % {ends[0]:+.3f} to {ends[1]:+.3f}"
    return f"{text}, which may be chance." if ends[0] <= 0 <= ends[1] else f"{text}."
