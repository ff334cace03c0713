from __future__ import annotations

from typing import Any

import pytest

from cluster.local_ray import processes


@pytest.mark.ray
def test_a_local_ray_runs_without_autoscaler_dashboard_and_reader_of_logs(ray_session: Any) -> None:
    import ray

    started = set(ray._private.worker._global_node.all_processes)
    assert {"gcs_server", "raylet"} <= started
    assert not started & {"monitor", "dashboard", "log_monitor"}


@pytest.mark.parametrize("shows_output", [False, True])
def test_ray_is_as_it_was_after_the_block_and_output_that_is_shown_is_read(shows_output: bool) -> None:
    from ray._private.node import Node

    names = ("start_monitor", "start_api_server", "start_log_monitor", "start_raylet")
    before = [getattr(Node, name) for name in names]
    with processes.needed_only(shows_output=shows_output):
        within = [getattr(Node, name) for name in names]
    assert [one is other for one, other in zip(before, within, strict=True)] == [False, False, shows_output, True]
    assert [getattr(Node, name) for name in names] == before


def test_a_version_of_ray_that_passes_arguments_by_position_starts_none_of_them_either() -> None:
    from ray._private.node import Node

    names = ("start_monitor", "start_api_server", "start_log_monitor")
    with processes.needed_only(shows_output=False):
        # Ray's own methods need a node.
        assert [getattr(Node, name)(None, True, raise_on_failure=True) for name in names] == [None] * 3
