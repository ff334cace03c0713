from __future__ import annotations

import pytest

from cluster.doctor.software_checks import check_bedtools, check_torch, check_versions
from tests.cluster.doctor.healthy_nodes import HEALTHY, nodes, problems
from training.hardware.gpus import Hardware

VERSIONS = {"Python": HEALTHY.python, "Ray": HEALTHY.ray}


def test_a_check_that_every_node_passes_is_one_line() -> None:
    assert [str(finding) for finding in check_bedtools(nodes({"host": "two"}))] == [
        "ok       bedtools       2.30.0 on 2 nodes"
    ]


def test_a_node_without_bedtools_is_named_with_the_fix() -> None:
    (finding,) = check_bedtools(nodes({"bedtools": "", "bedtools_trouble": "bedtools: program not found"}))
    assert (finding.level, finding.node) == ("failure", "10.0.0.2")
    assert "apt-get install bedtools" in finding.fix


def test_bedtools_of_two_versions_is_a_warning() -> None:
    assert problems(check_bedtools(nodes({"bedtools": "2.31.1"}))) == [
        ("warning", "", "versions differ: 2.30.0, 2.31.1")
    ]


@pytest.mark.parametrize(("name", "value"), [("ray", "2.59.0"), ("python", "3.11.9"), ("ray", "")])
def test_a_node_of_another_ray_or_python_than_the_driver_is_a_failure(name: str, value: str) -> None:
    ((level, node, message),) = problems(check_versions(VERSIONS, nodes({name: value})))
    assert (level, node) == ("failure", "10.0.0.2")
    assert message.startswith(value or "none")


def test_a_gpu_that_torch_cannot_use_is_a_failure() -> None:
    ((level, node, message),) = problems(check_torch(nodes({"hardware": Hardware(nvidia=1)}, gpus=1)))
    assert (level, node) == ("failure", "10.0.0.2")
    assert message.startswith("this machine has 1 NVIDIA GPU, but torch")
    assert "built for CPUs only" in message


def test_torch_that_cannot_be_imported_is_a_failure() -> None:
    ((level, _, message),) = problems(check_torch(nodes({"torch": None, "torch_trouble": "No module named 'torch'"})))
    assert (level, message) == ("failure", "No module named 'torch'")
