"""What a bundle of a model of gene structure says of how a genome is annotated with it."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.config.structure import genetic_codes
from pipelines.errors import BundleError, UsageError
from pipelines.genome import contigs
from training.annotate.tiles import Tiling
from training.bundle.bundle import Bundle
from training.bundle.digests import RESTORE
from training.decoding.settings import Settings
from training.structure.network import StructureModel


@dataclass(frozen=True)
class Suitability:
    """How a genome is annotated.

    Attributes:
        tiling: tiles of the length that the model was trained on.
        settings: of the decoder.
    """

    tiling: Tiling
    settings: Settings


def of_bundle(bundle: Bundle, name: str, genetic_code: int | None) -> Suitability:
    """How a bundle's model annotates a genome.

    Args:
        bundle: of a model of gene structure.
        name: the bundle, for messages.
        genetic_code: number of the table at NCBI in place of that of training.

    Raises:
        BundleError: a model of another task, or what was fitted for decoding is missing or damaged.
        UsageError: no such genetic code, or one in which a start codon of the model's is a stop; or none is given, and
            the model was trained on genomes of several.
    """
    bundle.require_task("structure", name)
    window = bundle.config.get("window", {}).get("length")
    if not isinstance(window, int) or window < 1:
        raise BundleError(f"{name}/config.json: window.length: not a number of bases", RESTORE)
    if not isinstance(document := bundle.config.get("decoding"), dict):
        raise BundleError(f"{name}/config.json: decoding: missing, so that no gene can be decoded", RESTORE)
    settings = Settings.from_document(document)
    if genetic_code is not None:
        settings = settings.model_copy(update={"genetic_code": genetic_code})
        # Refuses an unknown table, which a copy does not.
        _ = settings.code
    elif len(codes := _codes_of_training(bundle)) > 1:
        raise UsageError(
            f"{name}: trained on genomes of several genetic codes ({_listed(codes)})",
            "say which one this genome has with --genetic-code NUMBER",
            key="genetic_code",
        )
    assert isinstance(bundle.model, StructureModel)
    return Suitability(Tiling.of(window, bundle.model.config.stem_stride), settings)


def _codes_of_training(bundle: Bundle) -> dict[int, list[str]]:
    """Number of each genetic code to the genomes that have it, in the dataset that the model was trained on."""
    genomes: dict[int, list[str]] = {}
    for genome, code in genetic_codes(bundle.config["dataset"]["config"]).items():
        genomes.setdefault(code, []).append(genome)
    return dict(sorted(genomes.items()))


def _listed(codes: dict[int, list[str]]) -> str:
    return "; ".join(f"{code} of {contigs.list_names(genomes)}" for code, genomes in codes.items())
