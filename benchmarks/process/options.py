"""Options that benchmarks share: where data is, where figures are stored, and numbers with a least value."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from cluster.paths.output_paths import output_file
from pipelines.errors import UsageError


def at_least(least: int) -> Callable[[str], int]:
    """A type of options: whole numbers from the least one on."""

    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{text}: must be at least {least}")
        return value

    return number


def add_data(parser: argparse.ArgumentParser, *, is_required: bool = True) -> None:
    """Add `--data`, the folder of genomes and sequences, to a parser; the variable RAYGENE_DATA names it as well.

    Args:
        parser: of a benchmark.
        is_required: whether the command line is refused where neither names a folder.
    """
    folder = os.environ.get("RAYGENE_DATA") or None
    parser.add_argument(
        "--data",
        type=Path,
        default=folder,
        required=is_required and folder is None,
        help="folder of genomes and sequences (default: $RAYGENE_DATA)",
    )


def parse(
    parser: argparse.ArgumentParser, results: Path | None, *, small: Sequence[str] = (), is_folder: bool = False
) -> argparse.Namespace:
    """Parse the command line, with `--results` as one more option, and make the folder of that.

    Figures are stored after hours of measuring: what would keep them from it ends the benchmark here.

    Args:
        parser: of all other options.
        results: where figures are stored, unless `--results` names another path; none where the benchmark chooses.
        small: options that change what is measured, as fewer epochs do, and leave no trace in the figures. They need
            `--results`, so that such figures neither mix with stored ones nor replace them.
        is_folder: whether the path is a folder, where the benchmark chooses names of files.
    """
    kind = "folder" if is_folder else "file"
    stored = (
        "in benchmarks/results" if results is None else "benchmarks/results" + (f"/{results.name}" * (not is_folder))
    )
    parser.add_argument("--results", type=Path, default=results, help=f"{kind} of the figures (default: {stored})")
    arguments = parser.parse_args()
    if arguments.results == results:
        for name in small:
            if getattr(arguments, name) != parser.get_default(name):
                parser.error(f"--{name}: the stored figures are of its default; name another {kind} with --results")
    if arguments.results is None:
        return arguments
    # Files are replaced as a whole: of a link the file that it leads to.
    arguments.results = arguments.results.resolve()
    folder = arguments.results if is_folder else arguments.results.parent
    try:
        if not is_folder:
            output_file("--results", str(arguments.results))
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, UsageError) as error:
        parser.error(f"{error}; name another {kind}")
    if not os.access(folder, os.W_OK):
        parser.error(f"--results: {folder} cannot be written; name another {kind}")
    return arguments
