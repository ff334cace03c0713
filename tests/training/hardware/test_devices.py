from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from pipelines.errors import ResourceError
from training.hardware.devices import (
    TO_CPU,
    DeviceError,
    assigned_device,
    check_computes,
    choose,
    index_of,
    of_worker,
    require,
)
from training.hardware.gpus import Build, Hardware

FOR_CPUS = Build("cpu", "2.13.0+cpu")
CUDA = Build("cuda", "2.13.0+cu126", 2)
ROCM = Build("rocm", "2.13.0+rocm6.4", 2)
OLD_DRIVER = Build("cuda", "2.13.0+cu126", 0, "The NVIDIA driver on your system is too old (found version 11040)")
NVIDIA, AMD, NONE = Hardware(nvidia=2), Hardware(amd=2), Hardware()


def test_auto_is_the_gpu_where_there_is_one_and_the_cpu_where_there_is_none() -> None:
    assert choose("auto", NVIDIA, CUDA, {}) == "cuda"
    assert choose("auto", AMD, ROCM, {}) == "cuda"
    assert choose("auto", NONE, FOR_CPUS, {}) == "cpu"
    assert choose("auto", NONE, Build("cuda", "2.13.0+cu126"), {}) == "cpu"


def test_a_gpu_that_torch_sees_counts_even_without_its_device_files() -> None:
    assert choose("auto", NONE, CUDA, {}) == "cuda"


@pytest.mark.parametrize(("gpus", "build"), [(NVIDIA, FOR_CPUS), (NVIDIA, CUDA), (NVIDIA, OLD_DRIVER), (AMD, FOR_CPUS)])
def test_the_cpu_is_used_on_a_machine_with_a_gpu_when_requested(gpus: Hardware, build: Build) -> None:
    assert choose("cpu", gpus, build, {}) == "cpu"


def test_the_cpu_is_used_where_a_variable_hides_the_gpu() -> None:
    assert choose("auto", NVIDIA, FOR_CPUS, {"CUDA_VISIBLE_DEVICES": ""}) == "cpu"
    assert choose("auto", AMD, FOR_CPUS, {"HIP_VISIBLE_DEVICES": "-1"}) == "cpu"
    assert choose("auto", AMD, FOR_CPUS, {"ROCR_VISIBLE_DEVICES": ""}) == "cpu"


@pytest.mark.parametrize("requested", ["auto", "cuda"])
def test_a_torch_for_cpus_on_a_machine_with_a_gpu_is_an_error_that_names_the_right_build(requested: str) -> None:
    with pytest.raises(
        ResourceError, match=r"2 NVIDIA GPUs, but torch 2.13.0\+cpu .*whl/cu126.* or set training.device"
    ):
        choose(requested, NVIDIA, FOR_CPUS, {})
    with pytest.raises(
        ResourceError, match=r"2 AMD GPUs, but torch 2.13.0\+cpu .*whl/rocm6.4.* or set training.device"
    ):
        choose(requested, AMD, FOR_CPUS, {})


def test_a_torch_for_the_other_vendors_gpus_is_an_error_that_names_the_right_build() -> None:
    with pytest.raises(ResourceError, match=r"2 AMD GPUs, but torch 2.13.0\+cu126 is built for NVIDIA GPUs: .*rocm"):
        choose("auto", AMD, Build("cuda", "2.13.0+cu126"), {})
    with pytest.raises(ResourceError, match=r"2 NVIDIA GPUs, but torch 2.13.0\+rocm6.4 is built for AMD GPUs: .*cu126"):
        choose("auto", NVIDIA, Build("rocm", "2.13.0+rocm6.4"), {})


def test_a_driver_that_is_too_old_is_an_error_with_its_reason_and_the_fix() -> None:
    with pytest.raises(ResourceError, match=r"can use none \(The NVIDIA driver .*11040\)\): update the driver"):
        choose("auto", NVIDIA, OLD_DRIVER, {})
    with pytest.raises(ResourceError, match=r"groups render and video"):
        choose("auto", AMD, Build("rocm", "2.13.0+rocm6.4", 0, "No HIP GPUs are available"), {})


def test_a_requested_gpu_that_is_missing_or_hidden_is_an_error() -> None:
    with pytest.raises(ResourceError, match=r"this machine has no GPU: set training.device to cpu"):
        choose("cuda", NONE, FOR_CPUS, {})
    with pytest.raises(ResourceError, match=r"CUDA_VISIBLE_DEVICES=-1 hides 2 NVIDIA GPUs: unset"):
        choose("cuda", NVIDIA, FOR_CPUS, {"CUDA_VISIBLE_DEVICES": "-1"})


def test_errors_are_one_line() -> None:
    for gpus, build in ((NVIDIA, FOR_CPUS), (AMD, FOR_CPUS), (NVIDIA, OLD_DRIVER)):
        with pytest.raises(ResourceError) as caught:
            choose("auto", gpus, build, {})
        assert "\n" not in str(caught.value)


def test_a_worker_uses_the_gpu_that_ray_assigned_to_it() -> None:
    shared = {"CUDA_VISIBLE_DEVICES": "0,1"}
    assert assigned_device("auto", ["1"], NVIDIA, CUDA, shared) == torch.device("cuda", 1)
    assert assigned_device("cuda", [0], NVIDIA, CUDA, shared) == torch.device("cuda", 0)
    assert assigned_device("auto", ["GPU-b"], NVIDIA, CUDA, {"CUDA_VISIBLE_DEVICES": "GPU-a,GPU-b"}).index == 1


def test_on_rocm_the_gpu_is_counted_among_those_that_hip_shows() -> None:
    alone = Build("rocm", "2.13.0+rocm6.4", 1)
    environment = {"HIP_VISIBLE_DEVICES": "1", "CUDA_VISIBLE_DEVICES": "0,1"}
    assert assigned_device("auto", ["1"], AMD, alone, environment) == torch.device("cuda", 0)
    assert assigned_device("auto", ["1"], AMD, ROCM, {"CUDA_VISIBLE_DEVICES": "0,1"}) == torch.device("cuda", 1)


def test_without_a_variable_gpus_are_counted_on_the_machine() -> None:
    assert index_of(["1"], CUDA, {}) == 1
    assert index_of(["GPU-a"], CUDA, {}) == 0


def test_a_gpu_that_ray_assigned_and_torch_does_not_see_is_an_error() -> None:
    with pytest.raises(ResourceError, match="GPU 3, which Ray assigned, is not in it"):
        index_of(["3"], CUDA, {"CUDA_VISIBLE_DEVICES": "0,1"})
    with pytest.raises(ResourceError, match=r"Ray assigned GPU 5, but torch .* can use 2 GPUs"):
        index_of(["5"], CUDA, {})


def test_gpus_are_counted_from_zero() -> None:
    last = CUDA.usable - 1
    assert index_of([str(last)], CUDA, {}) == last
    with pytest.raises(ResourceError, match=r"Ray assigned GPU 2, but torch .* can use 2 GPUs"):
        index_of([str(CUDA.usable)], CUDA, {})
    with pytest.raises(ResourceError, match=r"can use 2 GPUs"):
        index_of(["c"], CUDA, {"CUDA_VISIBLE_DEVICES": "a,b,c"})


def test_a_worker_whose_torch_is_for_cpus_is_refused_though_ray_assigned_a_gpu() -> None:
    with pytest.raises(ResourceError, match="whl/cu126"):
        assigned_device("auto", ["0"], NVIDIA, FOR_CPUS, {"CUDA_VISIBLE_DEVICES": "0"})


def test_a_gpu_that_ray_does_not_know_is_an_error() -> None:
    with pytest.raises(ResourceError, match=r"2 NVIDIA GPUs that Ray does not know: start Ray with --num-gpus"):
        assigned_device("auto", [], NVIDIA, CUDA, {})
    with pytest.raises(ResourceError, match=r"2 AMD GPUs that Ray does not know: pip install amdsmi"):
        assigned_device("auto", [], AMD, ROCM, {})


def test_a_worker_without_a_gpu_computes_on_the_cpu() -> None:
    assert assigned_device("auto", [], NONE, FOR_CPUS, {}) == torch.device("cpu")
    assert assigned_device("cpu", [], NVIDIA, CUDA, {}) == torch.device("cpu")
    assert assigned_device("auto", [], NVIDIA, FOR_CPUS, {"CUDA_VISIBLE_DEVICES": ""}) == torch.device("cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU torch can use is used")
def test_a_machine_with_a_gpu_and_this_torch_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    assert require("auto", {}, tmp_path) == "cpu"
    (tmp_path / "dev/nvidia0").touch()
    with pytest.raises(ResourceError, match="1 NVIDIA GPU, but torch"):
        require("auto", {}, tmp_path)
    assert require("cpu", {}, tmp_path) == "cpu"


def test_the_cpu_computes() -> None:
    check_computes(torch.device("cpu"))
    assert of_worker("cpu", []) == torch.device("cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU torch can use is used")
def test_a_device_that_does_not_compute_is_an_error_with_the_reason() -> None:
    with pytest.raises(ResourceError, match=r"cuda:0 does not compute \(.*\): install a torch"):
        check_computes(torch.device("cuda", 0))


def test_a_device_error_can_name_another_setting_and_the_machine_and_travels_between_processes() -> None:
    error = DeviceError("no GPU", f"add one, or {TO_CPU}", code="missing", requested="cuda")
    assert str(error) == "training.device cuda: no GPU: add one, or set training.device to cpu"
    renamed = pickle.loads(pickle.dumps(error.on("n1").named("--device")))
    assert str(renamed) == "machine n1: --device cuda: no GPU: add one, or set --device to cpu"
    assert (renamed.code, renamed.key, renamed.detail) == ("missing", "--device", "no GPU")
