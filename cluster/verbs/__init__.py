"""The verbs of the command line, one module each: its arguments, and one call of a package."""

VERBS = (
    "demo",
    "init",
    "build",
    "inspect",
    "memory",
    "embed",
    "train",
    "tune",
    "evaluate",
    "predict",
    "scan",
    "annotate",
    "models",
    "compare",
    "profile",
    "doctor",
    "submit",
)
"""In the order of a user's work, which is that of `raygene --help`."""
