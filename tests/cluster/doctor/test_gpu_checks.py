from __future__ import annotations

from dataclasses import replace

from cluster.doctor.gpu_checks import check_gpus
from cluster.doctor.node_report import GpuProblem, NodeReport
from tests.cluster.doctor.healthy_nodes import CUDA, HEALTHY, nodes, problems
from training.hardware.gpus import Build, Hardware

TWO_GPUS = replace(HEALTHY, torch=CUDA, hardware=Hardware(nvidia=2))


def test_fewer_gpus_than_required_are_a_failure() -> None:
    assert problems(check_gpus(nodes({}), 1)) == [
        ("failure", "", "0 of 1 required; the device files show no GPU"),
    ]
    assert not problems(check_gpus(nodes({}), 0))
    assert not problems(check_gpus(nodes({"torch": CUDA, "hardware": Hardware(nvidia=2)}, gpus=2), 2))
    assert problems(check_gpus(nodes({"torch": CUDA, "hardware": Hardware(nvidia=2)}, gpus=2), 3))


def test_a_gpu_that_ray_does_not_count_is_a_failure() -> None:
    ((_, node, message),) = problems(check_gpus(nodes({"hardware": Hardware(nvidia=2), "torch": CUDA}), 0))
    assert (node, message) == ("10.0.0.2", "this machine has 2 NVIDIA GPUs that Ray does not know")


def test_a_gpu_that_torch_cannot_use_is_left_to_the_check_of_torch() -> None:
    assert not problems(check_gpus(nodes({"hardware": Hardware(nvidia=1)}, gpus=1), 0))


def test_a_gpu_that_ray_counts_and_the_machine_lacks_is_a_failure() -> None:
    ((_, _, message),) = problems(check_gpus(nodes({}, gpus=1), 0))
    assert message == "Ray counts 1 GPU, but this machine has none"


def test_amd_gpus_without_the_package_that_counts_them_are_a_failure() -> None:
    rocm = Build("rocm", "2.13.0+rocm6.4", 2)
    findings = check_gpus(nodes({"hardware": Hardware(amd=2), "torch": rocm}), 0)
    assert any("amdsmi" in finding.fix for finding in findings)


def test_a_gpu_that_does_not_compute_is_a_failure_with_its_fix() -> None:
    broken = NodeReport("10.0.0.2", TWO_GPUS, 2, gpu_problems=(GpuProblem("cuda:0 is old", "replace it"),))
    (finding,) = check_gpus([broken], 2)
    assert (finding.level, finding.message, finding.fix) == ("failure", "cuda:0 is old", "replace it")


def test_gpus_that_others_use_are_counted_as_not_tested() -> None:
    (finding,) = check_gpus([NodeReport("a", TWO_GPUS, 2, untested_gpus=1)], 0)
    assert (finding.level, finding.message) == ("ok", "2; 1 in use by others and not tested")


def test_a_gpu_that_does_not_answer_in_time_is_a_warning() -> None:
    (finding,) = check_gpus([NodeReport("a", TWO_GPUS, 2, unresponsive_gpus=1)], 0)
    assert (finding.level, finding.message) == ("warning", "1 did not answer in 30 s")
