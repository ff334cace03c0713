from __future__ import annotations

from dataclasses import replace

from cluster.doctor.file_checks import check_inputs, check_outputs, check_stores
from cluster.doctor.node_report import NodeReport
from pipelines.stores.rehearsal import Operation
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


def test_each_operation_on_a_store_is_a_line_and_names_the_nodes_that_cannot() -> None:
    address, refused = "s3://lab/runs", Operation("copy", "failure", "access is denied", "allow it")
    well = NodeReport("a", replace(HEALTHY, rehearsed={address: [Operation("list"), Operation("copy")]}))
    other = NodeReport("b", replace(HEALTHY, rehearsed={address: [Operation("list"), refused]}))
    assert [str(one).split() for one in check_stores([well, other], [address])] == [
        ["ok", "storage", "s3://lab/runs:", "list"],
        ["failure", "storage", "b:", "s3://lab/runs:", "copy:", "access", "is", "denied:", "allow", "it"],
    ]
