from __future__ import annotations

from dataclasses import replace

from cluster.doctor.file_checks import check_inputs, check_outputs
from cluster.doctor.node_report import NodeReport
from tests.cluster.doctor.healthy_nodes import HEALTHY, nodes, problems


def test_an_input_that_one_node_cannot_read_is_named_by_key_and_node() -> None:
    reports = nodes({"unread": {"/data/a.fa": "No such file or directory"}})
    assert problems(check_inputs(reports, {"/data/a.fa": "sources.0.fasta"})) == [
        ("failure", "10.0.0.2", "sources.0.fasta /data/a.fa: No such file or directory")
    ]


def test_files_of_one_path_that_differ_between_nodes_are_a_failure() -> None:
    reports = [
        NodeReport("a", replace(HEALTHY, read={"/a.fa": 10})),
        NodeReport("b", replace(HEALTHY, read={"/a.fa": 12})),
    ]
    assert problems(check_inputs(reports, {"/a.fa": "sources.0.fasta"})) == [
        ("failure", "", "sources.0.fasta /a.fa: 10 and 12 bytes on different nodes")
    ]


def test_storage_that_is_not_shared_or_not_writable_is_named_by_node() -> None:
    reports = nodes({"unseen": ("/data",)}, {"unwritten": {"/data": "Permission denied"}})
    failures = problems(check_outputs(reports, ["/data"]))
    assert [(level, node) for level, node, _ in failures] == [("failure", "10.0.0.2"), ("failure", "10.0.0.3")]
    assert check_outputs(reports, []) == []
