"""Ports of a local Ray."""

from __future__ import annotations

import pytest
from ray._private import parameter, ray_constants

from cluster.local_ray import ports


def test_the_agent_of_a_local_ray_listens_on_a_free_port() -> None:
    with ports.free_ports():
        assert parameter.RayParams(num_cpus=1).dashboard_agent_listen_port == ports.FREE
    usual = ray_constants.DEFAULT_DASHBOARD_AGENT_LISTEN_PORT
    assert parameter.RayParams(num_cpus=1).dashboard_agent_listen_port == usual


def test_a_ray_without_such_a_port_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parameter, "RayParams", lambda num_cpus: num_cpus)
    with ports.free_ports():
        assert parameter.RayParams(num_cpus=1) == 1
