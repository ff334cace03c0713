"""The flags of reading frames, what they ask for, and what is said about gene models."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from cluster.flags import Parser, positive
from cluster.terminal import Terminal
from pipelines.errors import UsageError

if TYPE_CHECKING:
    from training.scan.orfs.settings import FrameSettings, Weights

OPTIONS = ("genetic_code", "start_codons", "gtf")
# All start codons of the table.
OF_TABLE = "table"
# Of what is called in S. cerevisiae 96 % lies in a gene model.
FEW = 0.8


def add_options(parser: Parser) -> None:
    """Add the options of reading frames to those of a scan."""
    group = parser.add_argument_group("reading frames, for genomes with few introns")
    group.add_argument(
        "--orfs", action="store_true", help="write gene models: the frames from start to stop codon that score highest"
    )
    group.add_argument(
        "--genetic-code", type=positive, metavar="N", help="NCBI's number of the genetic code (default 1, the standard)"
    )
    group.add_argument(
        "--start-codons",
        nargs="+",
        metavar="CODON",
        help=f"codons that start a frame, or `{OF_TABLE}` for all of the code's (default ATG)",
    )
    group.add_argument("--gtf", action="store_true", default=None, help="write the gene models as GTF too")


def settings(arguments: argparse.Namespace, weights: Weights | None) -> FrameSettings | None:
    """What decides which frames are genes; None without reading frames.

    Args:
        arguments: the flags.
        weights: those of the bundle, if it has any.

    Raises:
        UsageError: flags that would be ignored, no such genetic code, or a start codon that is none.
    """
    from training.scan.orfs.settings import START_CODONS, FrameSettings, Weights

    if not arguments.orfs:
        for name in OPTIONS:
            if getattr(arguments, name) is not None:
                raise UsageError(f"--{name.replace('_', '-')}: there are no reading frames", "ask for them with --orfs")
        return None
    for name in ("high", "low"):
        if getattr(arguments, name) is not None:
            raise UsageError(f"--{name}: decides nothing with --orfs, which chooses among frames", "leave it out")
    codons = START_CODONS if arguments.start_codons is None else tuple(arguments.start_codons)
    if OF_TABLE in codons:
        if len(codons) > 1:
            raise UsageError(f"--start-codons: codons besides `{OF_TABLE}`, which is all", "give one or the other")
        codons = ()
    shortest = max(FrameSettings.shortest, arguments.min_length)
    return FrameSettings(arguments.genetic_code or 1, codons, shortest, weights=weights or Weights())


def tell(models: dict[str, int], terminal: Terminal) -> None:
    """Say how many gene models there are, and warn where frames explain little of what is called."""
    partial = f", {models['partial']:,} cut by the end of a sequence or by a gap" if models["partial"] else ""
    terminal.say(f"{models['complete'] + models['partial']:,} gene models: {models['complete']:,} complete{partial}")
    share = models["within"] / models["stretches"] if models["stretches"] else 1.0
    if share < FEW:
        terminal.warn(
            f"only {share:.0%} of what the scores call lies in a reading frame: where genes have introns, the gene "
            "models are single exons or chance; without --orfs the calls span whole genes"
        )
