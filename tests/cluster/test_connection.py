from __future__ import annotations

import pytest

from cluster.connection import address_of, require_answer
from cluster.experiment import ClusterConfig
from pipelines.errors import ResourceError


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


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "[::1]:1"])
def test_a_dead_address_is_one_line_at_once(address: str) -> None:
    with pytest.raises(ResourceError, match="no Ray there"):
        require_answer(address)
