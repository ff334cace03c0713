"""Genomes to a token dataset: prepare, write, commit, whatever the task.

`recognise_build` and `structure_build` read and write what each task needs, and `pipelines.dataset.targets` says where
that is put, the manifest last. A build whose inputs and parameters have the fingerprint of the existing dataset does
nothing; a killed one resumes from its parts.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from pipelines.build import (
    preflight,
    recognise_build,
    structure_build,
    task_plan,
)
from pipelines.build.preflight import Estimate
from pipelines.config import DatasetConfig
from pipelines.config.tasks import STRUCTURE
from pipelines.dataset import targets
from pipelines.dataset.targets import Target
from pipelines.errors import RaygeneError, ResourceError
from pipelines.progress import Progress
from pipelines.ray_map import in_this_process, maps_here, nodes
from pipelines.splits.plan import PlannedSplit
from pipelines.stores.staging import Staging
from pipelines.stores.store import Store
from pipelines.tokens.tokenizer import Tokenizer

Connect = Callable[[], AbstractContextManager[Any]]


class Prepared(Protocol):
    """A build of any task whose inputs have been read."""

    @property
    def config(self) -> DatasetConfig:
        """The sections that decide content."""

    @property
    def tokenizer(self) -> Tokenizer:
        """The resolved tokenizer; the complete one where the k-mers of train are not counted yet."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 over inputs, parameters and versions; not over paths, workers or the output directory."""

    @property
    def estimates(self) -> list[Estimate]:
        """What every source will contribute at most."""

    def splits(self) -> list[PlannedSplit]:
        """What each split will hold, as far as it is known."""

    def write(self, staging: Staging, progress: Progress) -> tuple[dict[str, Any], Tokenizer]:
        """Write the dataset's rows, on Ray or in this process; return the manifest and the tokenizer of the rows."""


def prepare(config: DatasetConfig, progress: Progress, processes: int = 1) -> Prepared:
    """Read and check every input.

    Args:
        config: the sections that decide content.
        progress: reports what is read.
        processes: how many of this machine may read genomes, which end with the call. The result does not depend on it.

    Raises:
        RaygeneError: a file, bedtools, the tokenizer to reuse or a chromosome named in the split is missing or wrong.
    """
    if config.task == STRUCTURE:
        return structure_build.prepare(config, progress, processes)
    return recognise_build.prepare(config, progress, processes)


def build(
    config: DatasetConfig,
    output: Path | Store,
    connect: Connect,
    progress: Progress,
    prepared: Prepared | None = None,
    on_start: Callable[[Prepared], None] | None = None,
    needs_ray: Callable[[Prepared], bool] = lambda prepared: True,
    processes: int = 1,
) -> dict[str, Any]:
    """Build a dataset, unless the same one exists already.

    Args:
        config: the sections that decide content.
        output: the dataset's directory, or a folder of a store; an earlier dataset there is replaced once the new one
            is complete.
        connect: opens Ray, or `ray_map.in_this_process`; called only when there is work.
        progress: reports every stage.
        prepared: what `prepare` returned for the configuration, where its inputs have been read already.
        on_start: receives the build before it begins; not called where the dataset is there already.
        needs_ray: whether to open Ray for a build; without it this process works alone, to the same bytes.
        processes: how many of this machine may read inputs, as of `prepare`.

    Returns:
        The manifest.

    Raises:
        RaygeneError: any problem with the inputs, the configuration or the disk. An earlier dataset stays as it was.
    """
    where = targets.target(output)
    with where.hold():
        prepared = prepared or prepare(config, progress, processes)

        def opened() -> AbstractContextManager[Any]:
            return connect() if needs_ray(prepared) else in_this_process()

        return _build(prepared, where, opened, progress, on_start)


def _build(
    prepared: Prepared,
    where: Target,
    connect: Connect,
    progress: Progress,
    on_start: Callable[[Prepared], None] | None,
) -> dict[str, Any]:
    if existing := where.existing(prepared.fingerprint, progress):
        progress.note(f"{where} is up to date")
        return existing
    if on_start is not None:
        on_start(prepared)
    if where.disk is not None:
        estimates = prepared.estimates
        needed = preflight.estimate_disk_bytes(estimates, prepared.tokenizer)
        preflight.require_disk(needed + preflight.estimate_working_bytes(estimates), where.disk)
    staging = where.staging(prepared.fingerprint)
    try:
        with connect():
            if not maps_here():
                _warm_up_workers()
            document, tokenizer = prepared.write(staging, progress)
    except ResourceError:
        # Finished parts stay: the next build resumes from them, on a larger disk or with more memory.
        raise
    except RaygeneError:
        where.discard(staging)
        raise
    return where.commit(staging, document, tokenizer)


def _warm_up_workers() -> None:
    """Have a worker on every CPU import what encoding needs, without waiting for it.

    A worker that imports at its first encoding task starts 0.6 s late, when other workers have done its share.
    """
    import ray

    warm_up = ray.remote(num_cpus=1)(_import_build)
    for _ in range(min(sum(node.cpus for node in nodes.living()), task_plan.TASKS)):
        warm_up.remote()


def _import_build() -> None:
    """Nothing: a worker that loads this function imports this module, and with it all that encoding needs."""
