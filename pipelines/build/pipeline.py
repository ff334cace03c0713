"""Genomes to a token dataset: prepare, write, commit, whatever the task.

`recognise_build` and `structure_build` read and write what each task needs. Everything is written into a hidden sibling
directory and swapped in at the end, the manifest last. A build whose inputs and parameters have the fingerprint of the
existing dataset does nothing; a killed one resumes from its parts.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from pipelines import schema, storage, structure_config
from pipelines.build import (
    encode_tokens,
    left_out,
    preflight,
    recognise_build,
    structure_build,
    task_plan,
)
from pipelines.build.preflight import Estimate
from pipelines.config import DatasetConfig
from pipelines.dataset.manifest import MANIFEST, read_manifest, sealed_text
from pipelines.dataset.token_dataset import is_whole
from pipelines.errors import DatasetError, RaygeneError, ResourceError
from pipelines.progress import Progress
from pipelines.splits.plan import PlannedSplit
from pipelines.tokens.tokenizer import Tokenizer

Connect = Callable[[], AbstractContextManager[Any]]
_PART = re.compile(r"part-\d+\.parquet")


class Prepared(Protocol):
    """A build of any task whose inputs have been read."""

    @property
    def tokenizer(self) -> Tokenizer:
        """The resolved tokenizer; the complete one where the k-mers of train are not counted yet."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 over inputs, parameters and versions; not over paths, workers or the output directory."""

    def estimates(self) -> list[Estimate]:
        """What every source will contribute at most."""

    def splits(self) -> list[PlannedSplit]:
        """What each split will hold, as far as it is known."""

    def write(self, staging: Path, progress: Progress) -> tuple[dict[str, Any], Tokenizer]:
        """Write the dataset's rows with Ray; return the manifest and the tokenizer of the rows."""


def prepare(config: DatasetConfig, progress: Progress) -> Prepared:
    """Read and check every input.

    Raises:
        RaygeneError: a file, bedtools, the tokenizer to reuse or a chromosome named in the split is missing or wrong.
    """
    if config.task == structure_config.STRUCTURE:
        return structure_build.prepare(config, progress)
    return recognise_build.prepare(config, progress)


def build(
    config: DatasetConfig,
    output: Path,
    connect: Connect,
    progress: Progress,
    prepared: Prepared | None = None,
    on_start: Callable[[Prepared], None] | None = None,
) -> dict[str, Any]:
    """Build a dataset, unless the same one exists already.

    Args:
        config: the sections that decide content.
        output: the dataset's directory; an earlier dataset there is replaced once the new one is complete.
        connect: opens Ray; called only when there is work.
        progress: reports every stage.
        prepared: what `prepare` returned for the configuration, where its inputs have been read already.
        on_start: receives the build before it begins; not called where the dataset is there already.

    Returns:
        The manifest.

    Raises:
        RaygeneError: any problem with the inputs, the configuration or the disk. An earlier dataset stays as it was.
    """
    output = output.resolve()
    _check_target(output)
    with storage.only_writer(output):
        storage.recover(output)
        return _build(prepared or prepare(config, progress), output, connect, progress, on_start)


def _build(
    prepared: Prepared,
    output: Path,
    connect: Connect,
    progress: Progress,
    on_start: Callable[[Prepared], None] | None,
) -> dict[str, Any]:
    if existing := _existing_manifest(output, prepared.fingerprint, progress):
        progress.note(f"{output} is up to date")
        return existing
    if on_start is not None:
        on_start(prepared)
    preflight.require_disk(preflight.estimate_disk_bytes(prepared.estimates(), prepared.tokenizer), output)
    staging = storage.staging_directory(output, prepared.fingerprint)
    for leftover in output.parent.glob(f".{output.name}.building-*"):
        if leftover != staging:
            shutil.rmtree(leftover, ignore_errors=True)
    try:
        with connect():
            _warm_up_workers()
            document, tokenizer = prepared.write(staging, progress)
    except ResourceError:
        # Finished parts stay: the next build resumes from them, on a larger disk or with more memory.
        raise
    except RaygeneError:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    tokenizer.save(staging)
    shutil.rmtree(staging / encode_tokens.RECORDS)
    storage.remove_partial(staging)
    storage.write_text(staging / MANIFEST, sealed_text(document))
    storage.swap_in(staging, output)
    return read_manifest(output)


def _check_target(output: Path) -> None:
    if output.is_file():
        raise DatasetError(f"{output}: is a file", "choose a directory for --output")
    if output.is_dir() and any(output.iterdir()):
        if not (output / MANIFEST).exists():
            raise DatasetError(
                f"{output}: holds files that are not a raygene dataset", "choose another --output, or empty it"
            )
        try:
            read_manifest(output)
        except DatasetError as error:
            # A damaged dataset is built again; a directory that may be something else is left alone.
            if error.code != "damaged" or not any(output.glob("split=*/")):
                raise
        known = {MANIFEST, "tokenizer.json", left_out.FOLDER, *(f"split={name}" for name in schema.SPLITS)}
        other = {path.name for path in output.iterdir()} - known
        other |= {f"{path.parent.name}/{path.name}" for path in output.glob("*/*") if not _PART.fullmatch(path.name)}
        if other:
            raise DatasetError(
                f"{output}: holds {min(other)}, which a rebuild would remove", "move it out of the dataset"
            )
    storage.make_directory(output.parent)


def _existing_manifest(output: Path, expected_fingerprint: str, progress: Progress) -> dict[str, Any] | None:
    """Return the manifest of an undamaged dataset with this fingerprint; None where there is none."""
    if not (output / MANIFEST).exists():
        return None
    try:
        document = read_manifest(output)
    except DatasetError as error:
        progress.note(f"{error.problem}; it is built again")
        return None
    if document["fingerprint"] != expected_fingerprint:
        return None
    if not is_whole(output, document):
        progress.note(f"{output}: a file is missing or damaged; it is built again")
        return None
    return document


def _warm_up_workers() -> None:
    """Have a worker on every CPU import what encoding needs, without waiting for it.

    A worker that imports at its first encoding task starts 0.6 s late, when other workers have done its share.
    """
    import ray

    warm_up = ray.remote(num_cpus=1)(_import_for_encoding)
    for _ in range(min(int(ray.cluster_resources().get("CPU", 1)), task_plan.TASKS)):
        warm_up.remote()


def _import_for_encoding() -> list[str]:
    """Import the modules that encoding tasks need and return their names.

    A worker that loads this function imports this module, and with it `encode_tokens`.
    """
    import ray.data

    return [encode_tokens.__name__, ray.data.__name__]
