"""The flags of reading frames, what they ask for, and what is said about gene models."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from cluster.options.flags import positive
from cluster.options.parser import Parser
from cluster.screen.terminal import Terminal
from pipelines.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.gene_models.model import Gene
    from training.bundle.bundle import Bundle
    from training.scan.orfs.settings import FrameSettings
    from training.scan.run import Scan

OPTIONS = ("genetic_code", "start_codons", "gtf", "fit_orfs")
# All start codons of the table.
OF_TABLE = "table"
# In S. cerevisiae 95 % of what is called lies in a gene model, in S. pombe with its introns 62 to 83 %.
FEW = 0.9
# Share of genes with introns from which on the user is told: it is 4 % in S. cerevisiae and 46 % in S. pombe.
MANY_INTRONS = 0.2


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
    group.add_argument(
        "--fit-orfs",
        action="store_true",
        default=None,
        help="first fit what decides on frames to the --annotation of the model's validation chromosomes, and store it "
        "in the bundle",
    )


def settings(arguments: argparse.Namespace, bundle: Bundle, terminal: Terminal) -> FrameSettings | None:
    """What decides which frames are genes, with the weights of the bundle if it has any; None without reading frames.

    Raises:
        UsageError: flags that would be ignored, no such genetic code, or a start codon that is none.
        BundleError: the bundle's weights are damaged or another model's.
    """
    from training.scan.orfs import stored
    from training.scan.orfs.settings import START_CODONS, FrameSettings

    if not arguments.orfs:
        for name in OPTIONS:
            if getattr(arguments, name) is not None:
                raise UsageError(f"--{name.replace('_', '-')}: there are no reading frames", "ask for them with --orfs")
        return None
    for name in ("high", "low"):
        if getattr(arguments, name) is not None:
            raise UsageError(f"--{name}: decides nothing with --orfs, which chooses among frames", "leave it out")
    if arguments.fit_orfs and arguments.annotation is None:
        raise UsageError("--fit-orfs: no known genes to fit to", "name them with --annotation")
    codons = START_CODONS if arguments.start_codons is None else tuple(arguments.start_codons)
    if OF_TABLE in codons:
        if len(codons) > 1:
            raise UsageError(f"--start-codons: codons besides `{OF_TABLE}`, which is all", "give one or the other")
        codons = ()
    shortest = max(FrameSettings.shortest, arguments.min_length)
    chosen = FrameSettings(arguments.genetic_code or 1, codons, shortest)
    # Weights that are fitted anew may replace damaged ones.
    found = None if arguments.fit_orfs else stored.read(arguments.bundle, bundle.fingerprint)
    if found is None:
        return chosen
    _warn_of_introns(found.introns.genes, found.introns.with_introns, terminal)
    return replace(chosen, weights=found.weights, splice=found.splice)


def _warn_of_introns(genes: int, with_introns: int, terminal: Terminal) -> None:
    if with_introns > MANY_INTRONS * genes:
        terminal.warn(
            f"{with_introns:,} of the {genes:,} coding genes that the model was trained on have introns: reading "
            "frames are whole genes only where there are none, or a single one whose splice sites were learnt"
        )


def fitted(
    job: Scan, bundle: Bundle, arguments: argparse.Namespace, genes: Sequence[Gene], terminal: Terminal
) -> FrameSettings:
    """The settings of a finished scan with weights fitted to known genes, which are stored in the bundle.

    Args:
        job: the scan, with its tracks written.
        bundle: the model.
        arguments: the flags.
        genes: annotated genes.
        terminal: shows how good the weights are.

    Raises:
        BundleError: the model was not trained on this genome, or not validated on whole sequences.
        InputError: too few coding genes there.
    """
    from training.scan import outputs
    from training.scan.orfs import fit, splice_fit, stored

    validation, training = stored.validation_sequences(bundle.config, job.genome.content, arguments.bundle)
    settings = job.frames
    assert settings is not None
    scanned = [
        (name, job.genome.sequence(name, 0, job.lengths[name]), scores)
        for name, scores in outputs.read_tracks(job.outputs, job.lengths, job.grid)
        if name in {*validation, *training}
    ]
    held_out = [one for one in scanned if one[0] in validation]
    result = fit.fit(held_out, genes, job.grid, settings)
    settings = replace(settings, weights=result.weights)
    introns = fit.count_introns(gene for gene in genes if gene.chromosome in training)
    splice = splice_fit.learn([one for one in scanned if one[0] in training], genes, job.grid, settings)
    if splice:
        terminal.say(
            f"splice sites learnt from {splice.learnt_from:,} introns of the training sequences: on the validation "
            f"sequences F1 of exact coding sequences is {result.exact_f1:.3f} without them"
        )
        result = splice_fit.evaluate(held_out, genes, job.grid, settings, splice)
    else:
        terminal.say("too few introns on the training sequences to learn splice sites: gene models have one exon")
    path = stored.write(arguments.bundle, bundle.fingerprint, result, validation, introns, splice)
    terminal.say(
        f"reading frames fitted to {result.genes:,} genes of {', '.join(validation[:6])}: F1 of exact coding sequences "
        f"{result.exact_f1:.3f}, of coding bases {result.base_f1:.3f}; stored in {path}"
    )
    _warn_of_introns(introns.genes, introns.with_introns, terminal)
    return replace(settings, splice=splice)


def tell(models: dict[str, int], terminal: Terminal) -> None:
    """Say how many gene models there are, and warn where frames explain little of what is called."""
    partial = f", {models['partial']:,} cut by the end of a sequence or by a gap" if models["partial"] else ""
    spliced = f", {models['spliced']:,} with an intron" if models.get("spliced") else ""
    terminal.say(
        f"{models['complete'] + models['partial']:,} gene models: {models['complete']:,} complete{partial}{spliced}"
    )
    share = models["within"] / models["stretches"] if models["stretches"] else 1.0
    if share < FEW:
        terminal.warn(
            f"only {share:.0%} of what the scores call lies in a reading frame: where genes have introns, the gene "
            "models are single exons or chance; without --orfs the calls span whole genes"
        )
