from __future__ import annotations

import pytest

from cluster.doctor.findings import worst
from cluster.doctor.node_report import NodeReport
from cluster.doctor.speed_checks import check_clocks, check_cpu_frequency
from tests.cluster.doctor.healthy_nodes import HEALTHY, nodes


@pytest.mark.parametrize(("skew", "level"), [(1.0, "ok"), (30.0, "warning"), (4000.0, "failure")])
def test_a_clock_that_is_off_is_a_warning_or_a_failure(skew: float, level: str) -> None:
    assert worst(check_clocks(nodes({}, skew=skew))) == level
    assert worst(check_clocks([NodeReport("the only node, and not this machine", HEALTHY, 0, skew)])) == level
    assert check_clocks([NodeReport("this machine", HEALTHY, None, skew)]) == []


def test_a_clock_that_did_not_answer_in_time_is_named_and_no_problem() -> None:
    silent = NodeReport("b", HEALTHY, 0, None, None)
    findings = check_clocks([NodeReport("a", HEALTHY, 0, 0.0, 0.03), silent])
    assert [finding.message for finding in findings] == [
        "within 0.03 s of this machine's",
        "not reported in time by b",
    ]
    (finding,) = check_clocks([silent])
    assert (finding.level, finding.message) == ("ok", "not reported in time by b")


def test_the_largest_bound_says_how_well_the_clocks_agree() -> None:
    (finding,) = check_clocks([NodeReport("a", HEALTHY, 0, 0.0, 0.03), NodeReport("b", HEALTHY, 0, 0.0, 0.25)])
    assert finding.message == "within 0.25 s of this machine's"


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
def test_a_slow_governor_is_a_warning(governor: str, level: str) -> None:
    assert worst(check_cpu_frequency(nodes({"governors": (governor,)}))) == level
