from __future__ import annotations

from dataclasses import replace

import pytest

from cluster.doctor import judge, pace, reach, room
from cluster.doctor.facts import Disk, Facts
from cluster.doctor.lines import Line, worst
from cluster.doctor.seen import NodeReport
from training.hardware.gpus import Build, Hardware

GIB = 1 << 30
CPU, CUDA = Build("cpu", "2.13.0+cpu"), Build("cuda", "2.13.0+cu126", 2)
WELL = Facts(
    host="one",
    python="3.11.7",
    ray="2.60.0",
    torch=CPU,
    torch_trouble="",
    bedtools="2.30.0",
    bedtools_trouble="",
    found=Hardware(),
    amdsmi=False,
    environment={},
    memory=64 * GIB,
    available=32 * GIB,
    shared=Disk("/dev/shm", 20 * GIB, 20 * GIB),
    disks=(Disk("/tmp", 100 * GIB, 50 * GIB),),
    governors=("schedutil (acpi-cpufreq)",),
    read={},
    unread={},
    unwritten={},
    unseen=(),
)

VERSIONS = {"Python": WELL.python, "Ray": WELL.ray}


def nodes(*differing: dict[str, object], gpus: int = 0, skew: float = 0.0) -> list[NodeReport]:
    """A node that is well, and others that differ from it."""
    others = [
        NodeReport(f"10.0.0.{number}", replace(WELL, **one), gpus, skew) for number, one in enumerate(differing, 2)
    ]  # type: ignore[arg-type]
    return [NodeReport("10.0.0.1", WELL, 0), *others]


def troubles(lines: list[Line]) -> list[tuple[str, str, str]]:
    return [(line.level, line.node, line.told) for line in lines if line.level != "ok"]


def test_where_all_is_well_every_check_is_one_line() -> None:
    machines = nodes({"host": "two"})
    checks = (judge.torch, judge.bedtools, room.memory, room.disks, pace.clocks, pace.governor)
    lines = [line for check in checks for line in check(machines)] + judge.versions(VERSIONS, machines)
    assert worst(lines) == "ok"
    assert [line.check for line in lines].count("bedtools") == 1
    assert str(judge.bedtools(machines)[0]) == "ok       bedtools       2.30.0 on 2 nodes"


def test_a_node_without_bedtools_is_named_with_the_mend() -> None:
    (line,) = judge.bedtools(nodes({"bedtools": "", "bedtools_trouble": "bedtools: program not found"}))
    assert (line.level, line.node) == ("failure", "10.0.0.2")
    assert "apt-get install bedtools" in line.mend


def test_bedtools_of_two_versions_is_a_warning() -> None:
    assert troubles(judge.bedtools(nodes({"bedtools": "2.31.1"}))) == [
        ("warning", "", "versions differ: 2.30.0, 2.31.1")
    ]


@pytest.mark.parametrize(("name", "value"), [("ray", "2.59.0"), ("python", "3.11.9"), ("ray", "")])
def test_a_node_of_another_ray_or_python_than_the_driver_is_a_failure(name: str, value: str) -> None:
    ((level, node, told),) = troubles(judge.versions(VERSIONS, nodes({name: value})))
    assert (level, node) == ("failure", "10.0.0.2")
    assert told.startswith(value or "none")


def test_no_gpu_where_one_is_asked_for_is_a_failure() -> None:
    ((level, _, told),) = troubles(judge.gpus(nodes({}), 1))
    assert level == "failure"
    assert told == "0 of 1 asked for; the device files show no GPU"
    assert not troubles(judge.gpus(nodes({}), 0))
    assert not troubles(judge.gpus(nodes({"torch": CUDA, "found": Hardware(nvidia=2)}, gpus=2), 2))
    assert troubles(judge.gpus(nodes({"torch": CUDA, "found": Hardware(nvidia=2)}, gpus=2), 3))


def test_a_gpu_that_torch_cannot_use_or_ray_does_not_count_is_a_failure() -> None:
    machines = nodes({"found": Hardware(nvidia=1)}, gpus=1)
    ((level, node, told),) = troubles(judge.torch(machines))
    assert (level, node) == ("failure", "10.0.0.2")
    assert "built for CPUs only" in told
    ((_, _, told),) = troubles(judge.gpus(nodes({"found": Hardware(nvidia=2), "torch": CUDA}), 0))
    assert "2 NVIDIA GPUs that Ray does not know" in told


def test_amd_gpus_that_ray_has_no_package_to_count_are_told() -> None:
    rocm = Build("rocm", "2.13.0+rocm6.4", 2)
    lines = judge.gpus(nodes({"found": Hardware(amd=2), "torch": rocm}), 0)
    assert any("amdsmi" in line.mend for line in lines)


def test_torch_that_cannot_be_imported_is_a_failure() -> None:
    ((level, _, told),) = troubles(judge.torch(nodes({"torch": None, "torch_trouble": "No module named 'torch'"})))
    assert (level, told) == ("failure", "No module named 'torch'")


def test_little_memory_and_little_shared_memory_are_warnings() -> None:
    shm = Disk("/dev/shm", 64 << 20, 64 << 20)
    found = troubles(room.memory(nodes({"available": GIB, "shared": shm})))
    assert [level for level, _, _ in found] == ["warning", "warning"]
    assert "64 MiB in /dev/shm" in found[1][2]


def test_the_size_proposed_for_shared_memory_is_a_third_of_that_machines() -> None:
    (_, line) = room.memory(nodes({"memory": 96 * GIB, "shared": Disk("/dev/shm", 64 << 20, 0)}))
    assert line.mend == "start the container with --shm-size=32g, a third of its memory"


def test_memory_that_a_machine_does_not_tell_is_not_told_as_none() -> None:
    untold = NodeReport("one", replace(WELL, memory=0, available=0, shared=None, disks=()))
    lines = [*room.memory([untold]), *room.disks([untold])]
    assert [(line.level, line.told) for line in lines] == [("ok", "not told by this machine")] * 3


def test_a_large_disk_that_is_full_by_its_share_is_a_warning() -> None:
    huge = Disk("/data", 1000 << 40, 36 << 40)
    (line,) = room.disks(nodes({"disks": (huge,)}))
    assert line.level == "warning"
    assert "RAY_local_fs_capacity_threshold" in line.mend


def test_a_gpu_that_does_not_compute_is_a_failure_with_its_mend() -> None:
    broken = NodeReport(
        "10.0.0.2", replace(WELL, torch=CUDA, found=Hardware(nvidia=2)), 2, failed=(("cuda:0 is old", "mend"),)
    )
    (line,) = judge.gpus([broken], 2)
    assert (line.level, line.told, line.mend) == ("failure", "cuda:0 is old", "mend")


def test_gpus_that_others_use_are_told_as_not_tried() -> None:
    (line,) = judge.gpus([NodeReport("a", replace(WELL, torch=CUDA, found=Hardware(nvidia=2)), 2, untried=1)], 0)
    assert (line.level, line.told) == ("ok", "2; 1 in use by others and not tried")


def test_a_gpu_that_does_not_answer_in_time_is_not_told_as_used_by_others() -> None:
    (line,) = judge.gpus([NodeReport("a", replace(WELL, torch=CUDA, found=Hardware(nvidia=2)), 2, silent=1)], 0)
    assert (line.level, line.told) == ("warning", "1 did not answer in 30 s")


def test_a_full_disk_is_a_failure_and_a_small_one_a_warning() -> None:
    full, small = Disk("/tmp", 100 * GIB, 4 * GIB), Disk("/tmp", 20 * GIB, 9 * GIB)
    assert [level for level, _, _ in troubles(room.disks(nodes({"disks": (full,)}, {"disks": (small,)})))] == [
        "failure",
        "warning",
    ]


@pytest.mark.parametrize(("skew", "level"), [(1.0, "ok"), (30.0, "warning"), (4000.0, "failure")])
def test_a_clock_that_is_off_is_told(skew: float, level: str) -> None:
    assert worst(pace.clocks(nodes({}, skew=skew))) == level
    assert worst(pace.clocks([NodeReport("the only node, and not this machine", WELL, 0, skew)])) == level
    assert pace.clocks([NodeReport("this machine", WELL, None, skew)]) == []


def test_a_clock_that_did_not_answer_in_time_is_told_as_untold() -> None:
    silent = NodeReport("b", WELL, 0, None, None)
    lines = pace.clocks([NodeReport("a", WELL, 0, 0.0, 0.03), silent])
    assert [line.told for line in lines] == ["within 0.03 s of this machine's", "not told by b"]
    assert [(line.level, line.told) for line in pace.clocks([silent])] == [("ok", "not told by b")]


def test_how_well_the_clocks_agree_is_told() -> None:
    (line,) = pace.clocks([NodeReport("a", WELL, 0, 0.0, 0.03), NodeReport("b", WELL, 0, 0.0, 0.25)])
    assert line.told == "within 0.25 s of this machine's"


@pytest.mark.parametrize(
    ("governor", "level"),
    [
        ("powersave (acpi-cpufreq)", "warning"),
        ("powersave (amd-pstate)", "warning"),
        ("powersave (amd-pstate-epp)", "ok"),
        ("powersave (intel_pstate)", "ok"),
        ("userspace (acpi-cpufreq)", "warning"),
        ("conservative (intel_pstate)", "warning"),
        ("performance (acpi-cpufreq)", "ok"),
    ],
)
def test_a_governor_that_holds_back_is_a_warning(governor: str, level: str) -> None:
    assert worst(pace.governor(nodes({"governors": (governor,)}))) == level


def test_an_input_that_one_node_cannot_read_is_told_by_key_and_node() -> None:
    machines = nodes({"unread": {"/data/a.fa": "No such file or directory"}})
    ((level, node, told),) = troubles(reach.inputs(machines, {"/data/a.fa": "sources.0.fasta"}))
    assert (level, node) == ("failure", "10.0.0.2")
    assert told == "sources.0.fasta /data/a.fa: No such file or directory"


def test_files_of_one_path_that_differ_between_nodes_are_a_failure() -> None:
    machines = [NodeReport("a", replace(WELL, read={"/a.fa": 10})), NodeReport("b", replace(WELL, read={"/a.fa": 12}))]
    ((level, _, told),) = troubles(reach.inputs(machines, {"/a.fa": "sources.0.fasta"}))
    assert (level, told) == ("failure", "sources.0.fasta /a.fa: 10 and 12 bytes on different nodes")


def test_storage_that_is_not_shared_or_not_writable_is_told_by_node() -> None:
    machines = nodes({"unseen": ("/data",)}, {"unwritten": {"/data": "Permission denied"}})
    found = troubles(reach.outputs(machines, ["/data"]))
    assert [(level, node) for level, node, _ in found] == [("failure", "10.0.0.2"), ("failure", "10.0.0.3")]
    assert reach.outputs(machines, []) == []
