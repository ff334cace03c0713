"""The datasets of a study: an existing one, or one for each combination of the searched keys that decide data.

Each lies under its own fingerprint, so configurations share it and a later run of the study finds it. All are built
before the first trial starts: a build needs CPUs that running trials would hold.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines import fingerprint
from pipelines.build import pipeline
from pipelines.build.pipeline import Connect
from pipelines.config import DatasetConfig, validate
from pipelines.dataset.location import Location, local
from pipelines.dataset.token_dataset import read_manifest
from pipelines.errors import DatasetError, UsageError
from pipelines.progress import Progress
from tuning import keys
from tuning.search import space
from tuning.search.space import Parameters, Space
from tuning.search.trial_factory import DatasetRef

DATASETS = "datasets"
MAX_DATASETS = 64


class DatasetRegistry:
    """Finds the dataset of a configuration.

    Args:
        datasets: fingerprint of the values that decide a dataset, to the dataset or to the error of its configuration.
    """

    def __init__(self, datasets: Mapping[str, DatasetRef | UsageError]) -> None:
        self._datasets = dict(datasets)

    def dataset_of(self, parameters: Parameters) -> DatasetRef:
        """The dataset of a configuration.

        Raises:
            UsageError: its values are incompatible, so it has none.
        """
        dataset = self._datasets[_key(parameters)]
        if isinstance(dataset, UsageError):
            raise dataset
        return dataset

    @property
    def directories(self) -> list[Path]:
        """Directories of all datasets, sorted; those at addresses have none."""
        datasets = (dataset for dataset in self._datasets.values() if isinstance(dataset, DatasetRef))
        return sorted({dataset.location for dataset in datasets if isinstance(dataset.location, Path)})

    @property
    def fingerprints(self) -> list[str]:
        """Fingerprints of all datasets, sorted."""
        return sorted({dataset.fingerprint for dataset in self._datasets.values() if isinstance(dataset, DatasetRef)})


def _key(parameters: Parameters) -> str:
    return fingerprint.of_value({key: value for key, value in parameters.items() if keys.decides_dataset(key)})


def use_existing(dataset: Location, search_space: Space) -> DatasetRegistry:
    """A registry of one dataset that has been built already.

    Raises:
        UsageError: the space has a key that needs several datasets.
        DatasetError: there is no finished dataset.
    """
    if dataset_keys := space.dataset_keys(search_space):
        raise UsageError(
            f"tuning.space: {dataset_keys[0]} needs a dataset for every value, and --dataset names one",
            "leave --dataset out to have them built, or remove the key from the space",
        )
    return DatasetRegistry({_key({}): DatasetRef(dataset, read_manifest(local(dataset, []))["fingerprint"])})


def build_all(
    base: Mapping[str, Any], search_space: Space, output: Path, connect: Connect, progress: Progress
) -> DatasetRegistry:
    """Build every dataset that a configuration may need; an existing one only costs reading its inputs.

    Args:
        base: sections of the experiment.
        search_space: key to domain.
        output: the study's directory.
        connect: opens Ray; called only when there is something to build.
        progress: shows each stage.

    Raises:
        RaygeneError: any problem with the inputs or the disk.
        UsageError: there are too many, or none that can be built.
    """
    combinations = list(itertools.islice(space.dataset_parameters(search_space, base), MAX_DATASETS + 1))
    if len(combinations) > MAX_DATASETS:
        raise UsageError(f"tuning.space: more than {MAX_DATASETS} datasets to build", "search fewer values")
    datasets: dict[str, DatasetRef | UsageError] = {}
    for number, parameters in enumerate(combinations, start=1):
        values = keys.with_parameters(base, parameters)
        origin = ", ".join(f"{key} {value}" for key, value in parameters.items()) or "experiment"
        if len(combinations) > 1:
            progress.note(f"dataset {number} of {len(combinations)}: {origin}")
        sections = {key: values[key] for key in DatasetConfig.model_fields if key in values}
        try:
            config = validate(DatasetConfig, sections, origin)
        except UsageError as error:
            # Configurations with these values become infeasible trials; the others go ahead.
            datasets[_key(parameters)] = error
            continue
        datasets[_key(parameters)] = _build(config, output / DATASETS, connect, progress)
    if not any(isinstance(dataset, DatasetRef) for dataset in datasets.values()):
        raise next(error for error in datasets.values() if isinstance(error, UsageError))
    return DatasetRegistry(datasets)


def _build(config: DatasetConfig, folder: Path, connect: Connect, progress: Progress) -> DatasetRef:
    prepared = pipeline.prepare(config, progress)
    identity = prepared.fingerprint
    path = folder / identity[:12]
    try:
        if read_manifest(path)["fingerprint"] == identity:
            return DatasetRef(path, identity)
    except DatasetError:
        # Not built yet, or not finished.
        pass
    manifest = pipeline.build(config, path, connect, progress, prepared)
    return DatasetRef(path, manifest["fingerprint"])
