from __future__ import annotations

import platform
import sys
from pathlib import Path

import fsspec
import pytest

from cluster.doctor.file_access import try_writing
from cluster.doctor.node_facts import Request, gather, governors


def test_this_machine_reports_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "a.fa").write_text(">a\nACGT\n")
    missing = str(tmp_path / "none.fa")
    facts = gather(Request((str(tmp_path / "a.fa"), missing, str(tmp_path)), (str(tmp_path / "new" / "run"),)))
    assert facts.python == platform.python_version()
    assert facts.torch is not None
    assert facts.memory > facts.available > 0
    assert facts.disks
    assert facts.read == {str(tmp_path / "a.fa"): 8, str(tmp_path): -1}
    assert facts.unread == {missing: "No such file or directory"}
    assert facts.unwritten == {}
    assert [path.name for path in tmp_path.iterdir()] == ["a.fa"]


def test_a_file_and_a_bundle_at_addresses_are_read() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe({"/doctor/a.fa": b">a", "/doctor/run/bundle/config.json": b"{}"})
    addresses = ("memory://doctor/a.fa", "memory://doctor/run/bundle")
    assert gather(Request(addresses)).read == dict.fromkeys(addresses, -1)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("memory://doctor/nothing", "memory://doctor/nothing: no such file or bundle"),
        ("none://x/a.fa", "none://x: no driver for none://"),
    ],
)
def test_an_address_with_nothing_to_read_is_named(address: str, reason: str) -> None:
    assert gather(Request((address,))).unread == {address: reason}


def test_a_missing_bedtools_is_a_fact_and_not_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    # bedtools is also looked for next to the interpreter.
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    facts = gather(Request())
    assert facts.bedtools == ""
    assert "program not found" in facts.bedtools_trouble


def test_governors_are_read_with_their_drivers(tmp_path: Path) -> None:
    for number, governor in enumerate(["powersave", "performance", "powersave"]):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{number}/cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text(f"{governor}\n")
        (folder / "scaling_driver").write_text("acpi-cpufreq\n")
    assert governors(tmp_path) == ("performance (acpi-cpufreq)", "powersave (acpi-cpufreq)")
    assert governors(tmp_path / "none") == ()


def test_a_file_that_another_node_wrote_is_seen_or_not(tmp_path: Path) -> None:
    (tmp_path / "probe").write_text("")
    probes = (("/a", str(tmp_path / "probe")), ("/b", str(tmp_path / "none")))
    assert gather(Request(probes=probes)).unseen == ("/b",)


@pytest.mark.parametrize("address", ["none://x", "https://example.org/x"])
def test_an_address_that_takes_no_file_has_a_reason(address: str) -> None:
    (operations,) = gather(Request(stores=(address,))).rehearsed.values()
    assert operations[-1].level == "failure"


@pytest.mark.parametrize("directory", ["/proc/none", "/dev/null/x"])
def test_a_directory_that_takes_no_file_has_a_reason(directory: str) -> None:
    assert try_writing(directory)
