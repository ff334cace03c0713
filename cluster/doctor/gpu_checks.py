"""Checks of the GPUs: as many as are needed, known to Ray, usable by torch, and computing."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.doctor import gpu_probe
from cluster.doctor.findings import Finding
from cluster.doctor.node_report import NodeReport, joined, node_name
from training.distributed.nodes import gpu_check
from training.hardware import devices
from training.hardware.devices import DeviceError
from training.hardware.gpus import visible


def check_gpus(reports: Sequence[NodeReport], required: int) -> list[Finding]:
    """GPUs that Ray counts, or without Ray those of this machine, compared with those required.

    Args:
        reports: of all nodes.
        required: GPUs in all.
    """
    total = sum(_count(report) for report in reports)
    counted = f"{total} of {required} required" if required else f"{total}"
    findings = []
    if total < required:
        by_device_files = joined(str(visible(report.facts.hardware, report.facts.environment)) for report in reports)
        findings.append(
            Finding(
                "failure",
                "GPUs",
                f"{counted}; the device files show {by_device_files}",
                "add nodes with GPUs, request fewer workers, or set training.device to cpu",
            )
        )
    for report in reports:
        findings += _check_node(report, node_name(report, reports))
    if findings:
        return findings
    untested = sum(report.untested_gpus for report in reports)
    return [Finding("ok", "GPUs", f"{counted}; {untested} in use by others and not tested" if untested else counted)]


def _count(report: NodeReport) -> int:
    """GPUs of a node, as Ray counts them, or as torch does where there is no Ray."""
    if report.gpus is not None:
        return report.gpus
    return report.facts.torch.usable if report.facts.torch else 0


def _check_node(report: NodeReport, node: str) -> list[Finding]:
    findings = [Finding("failure", "GPUs", problem.message, problem.fix, node) for problem in report.gpu_problems]
    if report.unresponsive_gpus:
        findings.append(
            Finding(
                "warning",
                "GPUs",
                f"{report.unresponsive_gpus} did not answer in {gpu_probe.TIMEOUT_S:.0f} s",
                "run again when the machine is less busy; if it happens again, check that node's driver",
                node,
            )
        )
    facts = report.facts
    if report.gpus is None or facts.torch is None:
        return findings
    inventory = gpu_check.NodeInventory(report.name, report.gpus, facts.hardware, facts.torch, facts.environment)
    try:
        gpu_check.check([inventory], "auto")
    except DeviceError as error:
        # A torch that cannot use a GPU is a finding of `check_torch` already.
        if error.code != devices.TORCH_CANNOT_USE_GPU:
            findings.append(Finding("failure", "GPUs", error.detail, error.fix, node))
    if facts.hardware.amd and not facts.amdsmi and not report.gpus:
        findings.append(
            Finding(
                "failure",
                "GPUs",
                "Ray counts AMD GPUs with amdsmi, which is missing",
                "pip install amdsmi",
                report.name,
            )
        )
    return findings
