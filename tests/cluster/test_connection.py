from __future__ import annotations

import pytest

from cluster.connection import address_of, connect
from cluster.experiment import ClusterConfig
from pipelines.errors import ResourceError
from pipelines.progress import Silent


@pytest.mark.parametrize(
    ("configured", "environment", "expected"),
    [
        ("local", "", "local"),
        ("10.0.0.1:6379", "", "10.0.0.1:6379"),
        ("local", "10.0.0.2:6379", "10.0.0.2:6379"),
        ("local", "http://127.0.0.1:8265", "local"),
    ],
)
def test_a_job_has_its_own_cluster_and_a_dashboard_is_none(configured: str, environment: str, expected: str) -> None:
    assert address_of(ClusterConfig(address=configured), environment) == expected


def test_a_dead_address_is_one_line_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    config = ClusterConfig(address="127.0.0.1:1")
    with (
        pytest.raises(ResourceError, match=r"127\.0\.0\.1:1: no Ray there"),
        connect(config, Silent(), verbose=False),
    ):
        pass
