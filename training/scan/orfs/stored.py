"""Weights of reading frames in a bundle: a file of its own, so that fitting them does not make another model.

The file names the model by its fingerprint and carries a digest of itself; it is no part of the bundle's own digest.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines import remote, storage
from pipelines.documents import sealed_json
from pipelines.errors import BundleError, InputError, UsageError
from pipelines.stores import reading
from training.scan.orfs.fit import Fit, IntronCount
from training.scan.orfs.settings import Weights
from training.scan.orfs.splice_sites import SpliceSites

FILE = "reading_frames.json"
FORMAT, VERSION = "raygene-reading-frames", 1
# Of a file with splice sites, which programs that know none would leave out of the choice.
WITH_SPLICE = 2
_LARGEST = 1 << 20
_FIX = "fit it again with raygene scan --orfs --fit-orfs, or delete it"


@dataclass(frozen=True)
class StoredFrames:
    """What a bundle says of reading frames.

    Attributes:
        weights: of their scores.
        introns: coding genes of the training sequences, and those with introns.
        splice: splice sites of the training sequences; None without any.
    """

    weights: Weights
    introns: IntronCount
    splice: SpliceSites | None = None


def validation_sequences(config: dict[str, Any], content: str, name: str) -> tuple[list[str], list[str]]:
    """The sequences of a genome that a bundle's model was validated on, and those it was trained on.

    Args:
        config: configuration of the bundle.
        content: SHA-256 of the genome's FASTA file.
        name: the bundle, for messages.

    Raises:
        BundleError: it was trained on another genome, or its validation split is not whole sequences.
    """
    dataset = config["dataset"]
    genomes = [source["genome"] for source in dataset.get("inputs") or [] if source.get("fasta_sha256") == content]
    if not genomes:
        raise BundleError(
            f"{name}: was not trained on this genome", "give --fasta the file that its dataset was built of"
        )
    prefix = f"{genomes[0]}:"
    splits = {
        split: [one.removeprefix(prefix) for one in values.get("names", []) if one.startswith(prefix)]
        for split, values in dataset.get("splits", {}).items()
    }
    validation, training = splits.get("validation", []), splits.get("train", [])
    if not validation or not training or set(validation) & {*training, *splits.get("test", [])}:
        raise BundleError(
            f"{name}: its validation split does not consist of whole sequences of this genome",
            "build with split.by: chromosome, or use the default weights without --fit-orfs",
        )
    return validation, training


def write(
    bundle: str,
    fingerprint: str,
    fit: Fit,
    sequences: Sequence[str],
    introns: IntronCount,
    splice: SpliceSites | None = None,
) -> Path:
    """Store weights in a bundle, replacing earlier ones.

    Args:
        bundle: path of its directory.
        fingerprint: of the model.
        fit: the weights, and how good they are.
        sequences: that they were fitted on.
        introns: of the genes that the model was trained on.
        splice: splice sites of the sequences that it was trained on.

    Raises:
        UsageError: the bundle is at an address.
        StorageError: it cannot be written.
    """
    directory = remote.local_path(bundle)
    if directory is None:
        raise UsageError(f"{remote.redacted(bundle)}: --fit-orfs writes into the bundle", "copy it to a local folder")
    document = {
        "format": FORMAT,
        "format_version": VERSION,
        "bundle": fingerprint,
        "weights": vars(fit.weights),
        "fitted_on": {"sequences": list(sequences), "genes": fit.genes},
        "f1": {"exact": round(fit.exact_f1, 4), "bases": round(fit.base_f1, 4)},
        "introns": vars(introns),
    }
    if splice:
        document |= {"format_version": WITH_SPLICE, "splice": splice.document()}
    path = directory / FILE
    storage.write_text(path, json.dumps(sealed_json.sealed(document), indent=1, sort_keys=True) + "\n")
    return path


def read(bundle: str, fingerprint: str) -> StoredFrames | None:
    """Read the weights of a bundle; None if it has none.

    Args:
        bundle: path of its directory, or its address.
        fingerprint: of the model.

    Raises:
        BundleError: they are damaged, of a newer format, or another model's.
    """
    shown = f"{remote.redacted(bundle)}/{FILE}"
    content = _content(bundle, shown)
    if content is None:
        return None
    try:
        document = sealed_json.parse(content, _LARGEST, strict=True)
    except ValueError as error:
        raise BundleError(f"{shown}: cannot be read ({' '.join(str(error).split())[:120]})", _FIX) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT or not sealed_json.is_intact(document):
        raise BundleError(f"{shown}: changed since it was written, or of another format", _FIX)
    version = document.get("format_version")
    if version not in (VERSION, WITH_SPLICE):
        raise BundleError(f"{shown}: format {version!r} is newer than {WITH_SPLICE}", "update raygene")
    if document.get("bundle") != fingerprint:
        raise BundleError(f"{shown}: belongs to another model ({str(document.get('bundle'))[:12]})", _FIX)
    try:
        splice = SpliceSites.of_document(document["splice"]) if version == WITH_SPLICE else None
        return StoredFrames(Weights(**document["weights"]), IntronCount(**document["introns"]), splice)
    except (AttributeError, KeyError, TypeError, ValueError, UsageError) as error:
        raise BundleError(f"{shown}: not the weights of reading frames", _FIX) from error


def _content(bundle: str, shown: str) -> bytes | None:
    try:
        directory = remote.local_path(bundle)
        if directory is None:
            return reading.open_folder(bundle).read(FILE, _LARGEST)
        path = directory / FILE
        return path.read_bytes() if path.exists() else None
    except remote.MissingError:
        return None
    except (OSError, InputError) as error:
        raise BundleError(f"{shown}: cannot be read ({error})", _FIX) from error
