from __future__ import annotations

from cluster.local_ray.checks import check_network, check_runs, check_token
from cluster.local_ray.folder import Run
from cluster.local_ray.network import OpenPort
from tests.cluster.doctor.healthy_nodes import nodes


def test_a_machine_without_rays_has_nothing_to_fix() -> None:
    findings = [*check_network(nodes()), *check_runs(nodes()), *check_token(nodes())]
    assert {finding.level for finding in findings} == {"ok"}


def test_open_ports_are_named_and_those_without_a_token_are_a_warning() -> None:
    closed, opened = OpenPort("raylet", 1024, True), OpenPort("gcs_server", 6379, False)
    (finding,) = check_network(nodes({"open_ports": (closed,)}))
    assert (finding.level, finding.node) == ("ok", "10.0.0.2")
    assert "1 port of Ray can be reached from other machines: raylet 1024; they want its token" in finding.message
    (finding,) = check_network(nodes({"open_ports": (closed, opened)}))
    assert finding.level == "warning"
    assert "RAY_AUTH_MODE=token" in finding.fix


def test_many_open_ports_are_counted() -> None:
    ports = tuple(OpenPort("IDLE", 1024 + number, True) for number in range(9))
    (finding,) = check_network(nodes({"open_ports": ports}))
    assert "IDLE 1029 and 3 more" in finding.message


def test_folders_are_counted_with_their_sizes() -> None:
    found = (Run("/tmp/raygene-a", 3 << 20, True), Run("/tmp/raygene-b", 1 << 30, False))
    (finding,) = check_runs(nodes({"runs": found}))
    assert finding.level == "ok"
    assert finding.message == "1 in use (3 MiB), 1 of ended runs (1 GiB), which the next start removes"


def test_a_token_that_others_can_read_is_a_warning() -> None:
    (finding,) = check_token(nodes({"token_readers": "0644"}))
    assert (finding.level, finding.node) == ("warning", "10.0.0.2")
    assert "mode 0644" in finding.message
