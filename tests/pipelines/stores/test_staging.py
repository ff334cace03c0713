from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import storage
from pipelines.stores.staging import RECORDS, Staging
from pipelines.stores.store import Store


@pytest.fixture(params=["a directory", "a store"])
def staging(request: pytest.FixtureRequest, store: Store, tmp_path: Path) -> Staging:
    return Staging(tmp_path / "staging") if request.param == "a directory" else Staging(tmp_path / "driver", store)


def run(staging: Staging, task: int) -> None:
    with staging.task_folder() as folder:
        for name in (f"split=train/part-{task}", f"{RECORDS}/{task}.npz"):
            storage.write_text(folder / name, f"{task}")
    staging.write_record(f"{task}.json", "{}")


def test_a_record_stands_for_a_finished_task(staging: Staging) -> None:
    assert staging.read_record("1.json") is None
    run(staging, 1)
    assert staging.read_record("1.json") == "{}"


def test_what_tasks_leave_is_read_as_local_files(staging: Staging) -> None:
    run(staging, 2)
    run(staging, 1)
    paths = staging.fetch("*.npz")
    assert [path.read_text() for path in paths] == ["1", "2"]
    assert {path.parent for path in paths} == {staging.path / RECORDS}
    assert staging.fetch("*.npz") == paths


def test_nothing_of_a_task_that_fails_is_put(store: Store, tmp_path: Path) -> None:
    def fail() -> None:
        with Staging(tmp_path / "driver", store).task_folder() as folder:
            storage.write_text(folder / "part", "half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert store.list() == {}
    assert not list((tmp_path / "cache" / "staging").iterdir())
