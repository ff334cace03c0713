from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipelines.errors import ResourceError
from training.hardware.gpus import (
    Build,
    Hardware,
    build,
    hardware,
    hidden_by,
    one_line,
    require_variables_ray_accepts,
    visible,
)


def lay_out(root: Path, names: list[str], *, vendor: str | None = None, memory: int | None = None) -> Path:
    """Create device files, and the files in which the system describes render nodes."""
    for name in names:
        path = root / "dev" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        about = root / "sys/class/drm" / path.name / "device"
        for file, value in (("vendor", vendor), ("mem_info_vram_total", memory)):
            if value is not None and path.name.startswith("renderD"):
                about.mkdir(parents=True, exist_ok=True)
                (about / file).write_text(f"{value}\n")
    return root


def test_nvidia_gpus_are_counted_by_their_device_files(tmp_path: Path) -> None:
    lay_out(tmp_path, ["nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "nvidia-modeset"])
    assert hardware(tmp_path) == Hardware(nvidia=2)


def test_amd_gpus_are_render_nodes_where_there_is_a_compute_driver(tmp_path: Path) -> None:
    lay_out(tmp_path, ["dri/card0", "dri/renderD128", "dri/renderD129"])
    assert hardware(tmp_path) == Hardware()
    lay_out(tmp_path, ["kfd"])
    assert hardware(tmp_path) == Hardware(amd=2)


def test_a_render_node_of_another_vendor_is_not_an_amd_gpu(tmp_path: Path) -> None:
    lay_out(tmp_path, ["kfd", "dri/renderD128"], vendor="0x8086")
    lay_out(tmp_path, ["dri/renderD129"], vendor="0x1002", memory=64 << 30)
    assert hardware(tmp_path) == Hardware(amd=1)


def test_graphics_within_a_cpu_are_no_gpu_to_compute_on(tmp_path: Path) -> None:
    lay_out(tmp_path, ["kfd", "dri/renderD128"], vendor="0x1002", memory=512 << 20)
    assert not hardware(tmp_path)


def test_an_amd_gpu_that_reports_no_memory_of_its_own_counts(tmp_path: Path) -> None:
    lay_out(tmp_path, ["kfd", "dri/renderD128"], vendor="0x1002", memory=0)
    assert hardware(tmp_path) == Hardware(amd=1)


@pytest.mark.parametrize("value", ["", "-1", "-1,0", "NoDevFiles", "none"])
def test_an_empty_variable_hides_gpus_on_purpose(value: str) -> None:
    assert hidden_by({"CUDA_VISIBLE_DEVICES": value}, "nvidia") == f"CUDA_VISIBLE_DEVICES={value}"
    assert hidden_by({"HIP_VISIBLE_DEVICES": value}, "amd") == f"HIP_VISIBLE_DEVICES={value}"


def test_a_variable_that_names_a_gpu_hides_none_of_it() -> None:
    assert hidden_by({}, "nvidia") is None
    for value in ("0", "1,0", "GPU-4b2c1a9f", "MIG-7"):
        assert hidden_by({"CUDA_VISIBLE_DEVICES": value, "HIP_VISIBLE_DEVICES": value}, "amd") is None


def test_amds_own_variables_hide_no_nvidia_gpu_and_nvidias_hides_both() -> None:
    both = Hardware(nvidia=1, amd=2)
    assert visible(both, {"HIP_VISIBLE_DEVICES": ""}) == Hardware(nvidia=1)
    assert visible(both, {"ROCR_VISIBLE_DEVICES": "-1"}) == Hardware(nvidia=1)
    assert visible(both, {"CUDA_VISIBLE_DEVICES": ""}) == Hardware()


def test_hardware_is_described_in_words() -> None:
    assert str(Hardware(2, 1)) == "2 NVIDIA GPUs and 1 AMD GPU"
    assert str(Hardware()) == "no GPU"


def test_a_build_describes_the_installed_torch() -> None:
    installed = build()
    assert installed.version == torch.__version__
    assert (installed.kind == "cpu") == (torch.version.cuda is None and torch.version.hip is None)
    assert bool(installed.usable) == torch.cuda.is_available()
    assert Build("cpu", "2.13.0+cpu").usable == 0


def test_an_errors_first_sentence_is_its_reason() -> None:
    old = RuntimeError("The NVIDIA driver on your system is too old (found version 11040). Please update\nyour driver.")
    assert one_line(old) == "The NVIDIA driver on your system is too old (found version 11040)"
    assert one_line(RuntimeError()) == "RuntimeError"


def test_a_variable_that_ray_refuses_with_amd_gpus_is_named_before_ray_starts() -> None:
    with pytest.raises(ResourceError, match="Ray accepts only HIP_VISIBLE_DEVICES"):
        require_variables_ray_accepts(Hardware(amd=1), {"ROCR_VISIBLE_DEVICES": "0"})
    require_variables_ray_accepts(Hardware(amd=1), {"ROCR_VISIBLE_DEVICES": "0", "HIP_VISIBLE_DEVICES": "0"})
    require_variables_ray_accepts(Hardware(nvidia=1), {"ROCR_VISIBLE_DEVICES": "0"})
