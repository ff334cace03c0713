from __future__ import annotations

from dataclasses import replace

from cluster.doctor.capacity_checks import check_disks, check_memory
from cluster.doctor.findings import worst
from cluster.doctor.node_facts import Disk
from cluster.doctor.node_report import NodeReport
from tests.cluster.doctor.healthy_nodes import GIB, HEALTHY, nodes, problems


def test_enough_memory_and_disk_are_ok() -> None:
    reports = nodes({"host": "two"})
    assert worst([*check_memory(reports), *check_disks(reports)]) == "ok"


def test_little_memory_and_little_shared_memory_are_warnings() -> None:
    shared = Disk("/dev/shm", 64 << 20, 64 << 20)
    warnings = problems(check_memory(nodes({"available": GIB, "shared": shared})))
    assert [level for level, _, _ in warnings] == ["warning", "warning"]
    assert "64 MiB in /dev/shm" in warnings[1][2]


def test_the_proposed_size_of_shared_memory_is_a_third_of_that_machines_memory() -> None:
    (_, finding) = check_memory(nodes({"memory": 96 * GIB, "shared": Disk("/dev/shm", 64 << 20, 0)}))
    assert finding.fix == "start the container with --shm-size=32g, a third of its memory"


def test_memory_that_a_machine_does_not_report_is_not_taken_for_none() -> None:
    unknown = NodeReport("10.0.0.1", replace(HEALTHY, memory=0, available=0, shared=None, disks=()))
    findings = [*check_memory([unknown]), *check_disks([unknown])]
    assert [(finding.level, finding.message) for finding in findings] == [("ok", "not reported by this machine")] * 3


def test_a_large_disk_with_a_small_free_share_is_a_warning() -> None:
    huge = Disk("/data", 1000 << 40, 36 << 40)
    (finding,) = check_disks(nodes({"disks": (huge,)}))
    assert finding.level == "warning"
    assert "RAY_local_fs_capacity_threshold" in finding.fix


def test_a_full_disk_is_a_failure_and_a_small_one_a_warning() -> None:
    full, small = Disk("/tmp", 100 * GIB, 4 * GIB), Disk("/tmp", 20 * GIB, 9 * GIB)
    findings = problems(check_disks(nodes({"disks": (full,)}, {"disks": (small,)})))
    assert [level for level, _, _ in findings] == ["failure", "warning"]
