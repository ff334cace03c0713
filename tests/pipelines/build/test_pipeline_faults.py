"""Builds whose workers or disk fail, against one that nothing disturbs."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines.build import encode_tokens, place_negatives, task_plan
from pipelines.build.pipeline import build
from pipelines.dataset.token_dataset import is_whole, read_manifest
from pipelines.errors import ResourceError
from pipelines.progress import Silent
from tests.conftest import make_genome
from tests.pipelines.build.builds import bytes_of, dataset_config

pytestmark = pytest.mark.ray


@dataclass(frozen=True)
class DiesOnce:
    """A map whose worker is killed by its first call of a function, once in all.

    Attributes:
        mapper: the map that does the work.
        function: dotted name of the function.
        marker: a file that appears just before the kill.
    """

    mapper: Callable[[pa.Table], pa.Table]
    function: str
    marker: Path

    def __call__(self, table: pa.Table) -> pa.Table:
        with pytest.MonkeyPatch.context() as patch:
            module, name = self.function.rsplit(".", 1)
            original = getattr(__import__(module, fromlist=[name]), name)

            def dies(*arguments: Any, **keywords: Any) -> Any:
                if not self.marker.exists():
                    self.marker.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                return original(*arguments, **keywords)

            patch.setattr(self.function, dies)
            return self.mapper(table)


@pytest.mark.parametrize(
    ("module", "mapper", "function"),
    [
        (encode_tokens, "WriteParts", "pipelines.storage.write_text"),
        (place_negatives, "PlaceNegatives", "pipelines.negatives.bedtools.shuffle"),
    ],
)
def test_a_worker_killed_during_a_task_changes_no_byte(
    module: Any, mapper: str, function: str, tmp_path: Path, ray_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = dataset_config(make_genome(tmp_path / "genome"))
    monkeypatch.setattr(task_plan, "TASK_BASES", 5_000)
    build(experiment, tmp_path / "undisturbed", ray_session, Silent())
    original = getattr(module, mapper)
    marker = tmp_path / "killed"
    monkeypatch.setattr(module, mapper, lambda *arguments: DiesOnce(original(*arguments), function, marker))
    build(experiment, tmp_path / "out", ray_session, Silent())
    assert marker.exists()
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "undisturbed")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of one MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a file system is not permitted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


@pytest.mark.parametrize(("fault", "fixed"), [("size=1m", "size=64m"), ("ro", "rw,size=64m")])
def test_a_full_or_read_only_disk_leaves_the_earlier_dataset(
    fault: str, fixed: str, tmp_path: Path, small_disk: Path, ray_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = small_disk / "out"
    build(dataset_config(make_genome(tmp_path / "small")), output, ray_session, Silent())
    earlier = bytes_of(output)
    experiment = dataset_config(make_genome(tmp_path / "large", seed=1, bases=1_500_000))
    monkeypatch.setattr("pipelines.build.preflight.require_disk", lambda *_: None)
    remount(small_disk, fault)
    with pytest.raises(ResourceError, match="cannot be written") as caught:
        build(experiment, output, ray_session, Silent())
    assert str(small_disk) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert bytes_of(output) == earlier
    assert is_whole(output, read_manifest(output))
    remount(small_disk, fixed)
    build(experiment, output, ray_session, Silent())
    build(experiment, tmp_path / "elsewhere", ray_session, Silent())
    assert bytes_of(output) == bytes_of(tmp_path / "elsewhere")
