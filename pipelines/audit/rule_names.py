"""The trivial rules by name, and what each of them looks at; imports no library."""

from __future__ import annotations

from pipelines.audit import regression_size

PRIOR, LENGTH, GC, SOFT_MASKED, UNKNOWN = "prior", "length", "gc", "soft_masked", "unknown"
FIRST_SIX, LAST_SIX, ENDS, KMERS = "first_six", "last_six", "ends", "kmers"
OF_ENDS = (FIRST_SIX, LAST_SIX, ENDS)
"""The rules that look at the ends of an interval."""
DESCRIPTIONS = {
    PRIOR: "shares of the classes in train",
    LENGTH: "length in bases",
    GC: "share of G and C",
    SOFT_MASKED: "share of lower-case bases",
    UNKNOWN: "share of <unk> tokens",
    FIRST_SIX: "first six bases",
    LAST_SIX: "last six bases",
    ENDS: "first and last six bases",
    KMERS: f"{regression_size.K}-mer logistic regression",
}
"""In the order in which rules of the same AUROC are listed."""
