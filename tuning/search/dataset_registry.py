"""The datasets of a campaign: the one it is given, or one for every value of the keys that decide data.

Each lies under its own fingerprint, so that configurations share it and another run of the campaign finds it. They are built
before the first trial starts: a build waits for CPUs that trials would hold.
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
from pipelines.dataset.token_dataset import read_manifest
from pipelines.errors import DatasetError, UsageError
from pipelines.progress import Progress
from tuning import keys
from tuning.search import space
from tuning.search.queue import Data
from tuning.search.space import Parameters, Space

DATASETS = "datasets"
MOST = 64


class DatasetRegistry:
    """Datasets by the values of their keys.

    Args:
        found: fingerprint of the values to dataset, or to why there can be none.
    """

    def __init__(self, found: Mapping[str, Data | UsageError]) -> None:
        self._found = dict(found)

    def __call__(self, parameters: Parameters) -> Data:
        """The dataset of a configuration.

        Raises:
            UsageError: there can be none.
        """
        data = self._found[_name(parameters)]
        if isinstance(data, UsageError):
            raise data
        return data

    @property
    def paths(self) -> list[Path]:
        """Folders of all datasets, sorted."""
        return sorted({data.path for data in self._found.values() if isinstance(data, Data)})

    @property
    def fingerprints(self) -> list[str]:
        """Of all datasets, sorted."""
        return sorted({data.fingerprint for data in self._found.values() if isinstance(data, Data)})


def _name(parameters: Parameters) -> str:
    return fingerprint.of_value({key: value for key, value in parameters.items() if keys.of_dataset(key)})


def given(dataset: Path, searched: Space) -> DatasetRegistry:
    """A dataset that is there already.

    Raises:
        UsageError: the search asks for several.
        DatasetError: no finished dataset.
    """
    if asked := space.of_datasets(searched):
        raise UsageError(
            f"tuning.space: {asked[0]} needs a dataset for every value, and --dataset names one",
            "leave --dataset out to have them built, or take the key out of the space",
        )
    return DatasetRegistry({_name({}): Data(dataset, read_manifest(dataset)["fingerprint"])})


def made(
    base: Mapping[str, Any], searched: Space, output: Path, connect: Connect, progress: Progress
) -> DatasetRegistry:
    """Build every dataset that the search may ask for; those that are there already cost the reading of their inputs.

    Args:
        base: the experiment's sections.
        searched: key to domain.
        output: the campaign's directory.
        connect: opens Ray; called only when there is work.
        progress: told of every stage.

    Raises:
        RaygeneError: any problem of the inputs or the disk.
        UsageError: too many, or none that can be built.
    """
    wanted = list(itertools.islice(space.datasets(searched, base), MOST + 1))
    if len(wanted) > MOST:
        raise UsageError(f"tuning.space: more than {MOST} datasets to build", "search fewer values")
    found: dict[str, Data | UsageError] = {}
    for number, parameters in enumerate(wanted, start=1):
        values = keys.changed(base, parameters)
        origin = ", ".join(f"{key} {value}" for key, value in parameters.items()) or "experiment"
        if len(wanted) > 1:
            progress.note(f"dataset {number} of {len(wanted)}: {origin}")
        try:
            config = validate(
                DatasetConfig, {key: values[key] for key in DatasetConfig.model_fields if key in values}, origin
            )
        except UsageError as error:
            found[_name(parameters)] = error
            continue
        found[_name(parameters)] = _built(config, output / DATASETS, connect, progress)
    if not any(isinstance(data, Data) for data in found.values()):
        raise next(error for error in found.values() if isinstance(error, UsageError))
    return DatasetRegistry(found)


def _built(config: DatasetConfig, folder: Path, connect: Connect, progress: Progress) -> Data:
    identity = pipeline.prepare(config, progress).fingerprint
    path = folder / identity[:12]
    try:
        if read_manifest(path)["fingerprint"] == identity:
            return Data(path, identity)
    except DatasetError:
        # Not built yet, or not finished.
        pass
    manifest = pipeline.build(config, path, connect, progress)
    return Data(path, manifest["fingerprint"])
