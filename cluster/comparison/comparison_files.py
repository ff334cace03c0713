"""The files of a comparison of called with annotated genes: figures as JSON, a page, lists of genes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.comparison import gene_calls
from cluster.paths.output_paths import PathRole, Written
from cluster.screen.terminal import Terminal
from pipelines import storage

if TYPE_CHECKING:
    from pipelines.comparison.analysis import Analysis

OPTIONS = ("json", "report", "lists")


def add_options(group: argparse._ActionsContainer) -> None:
    """Add --json, --report and --lists."""
    group.add_argument("--json", type=PathRole.WRITTEN_FILE, metavar="FILE", help="write the comparison as JSON")
    group.add_argument(
        "--report",
        type=PathRole.WRITTEN_FILE,
        metavar="FILE",
        help="write one self-contained HTML page with plots, and some loci drawn",
    )
    group.add_argument(
        "--lists",
        type=PathRole.WRITTEN_FOLDER,
        metavar="DIR",
        help="write genes that are fused, split, missed and invented as BED files in this directory",
    )


def written(arguments: argparse.Namespace, names: Sequence[str]) -> list[Written]:
    """The files of --lists.

    Args:
        arguments: the flags.
        names: of the sets of calls.
    """
    from pipelines.comparison import lists

    if not arguments.lists:
        return []
    return [Written("--lists", path) for path in lists.output_paths(Path(arguments.lists), names).values()]


def make_directories(arguments: argparse.Namespace) -> None:
    """Make the directories of the files, so that one that cannot be made fails before the work.

    Raises:
        StorageError: one cannot be made.
    """
    for path in filter(None, (arguments.json, arguments.report)):
        storage.make_directory(Path(path).parent)


def write(
    arguments: argparse.Namespace,
    analysed: Analysis,
    inputs: Sequence[tuple[str, str]],
    terminal: Terminal,
    command: str = "",
) -> None:
    """Write those files that are requested.

    Args:
        arguments: the flags.
        analysed: the comparison.
        inputs: files and flags that decide what is compared, for the page.
        terminal: shows the paths.
        command: the command line, for the page.
    """
    from pipelines.comparison import lists

    if arguments.json:
        gene_calls.write_json(analysed, Path(arguments.json))
    if arguments.lists:
        lists.write(analysed.comparison, analysed.findings, Path(arguments.lists))
        terminal.say(f"lists: {arguments.lists}")
    if arguments.report:
        from pipelines.comparison.report import page

        page.build_page(analysed, inputs, command).write(Path(arguments.report))
        terminal.say(f"report: {arguments.report}")


def inputs(
    arguments: argparse.Namespace, call_files: Sequence[tuple[str, str]], flags: Sequence[str]
) -> list[tuple[str, str]]:
    """The files and the flags that decide what is compared, for the page.

    Args:
        arguments: the flags.
        call_files: name and path of every set of calls.
        flags: names of the flags that may be given besides `--dataset`.
    """
    files = [(f"calls of {name}", path) for name, path in call_files]
    given = [(f"--{flag.replace('_', '-')}", getattr(arguments, flag)) for flag in flags]
    if arguments.dataset:
        given.append(("--dataset", [arguments.dataset, "--split", arguments.split or "test"]))
    if arguments.dataset:
        from pipelines.dataset import location
        from pipelines.dataset.token_dataset import read_manifest

        given.append(("dataset", [read_manifest(location.local(arguments.dataset, []))["fingerprint"]]))
    chosen = [(flag, " ".join(value)) for flag, value in given if value]
    return [*files, ("annotation", arguments.annotation), ("genome", arguments.fasta), *chosen]
