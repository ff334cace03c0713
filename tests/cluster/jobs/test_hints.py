from __future__ import annotations

import pytest

from cluster.jobs import hints


@pytest.mark.parametrize(
    ("address", "option"), [(None, ""), ("http://head:8265", " --address http://head:8265")], ids=["none", "given"]
)
def test_commands_name_the_address_that_the_user_had_to_give(address: str | None, option: str) -> None:
    assert hints.logs("job-1", address) == f"raygene submit logs job-1{option}"
    assert hints.list_jobs(address) == f"raygene submit list{option}"
    assert hints.all_commands("job-1", address) == (
        f"Follow it: raygene submit logs job-1 --follow{option}; check it: raygene submit status job-1{option}; "
        f"stop it: raygene submit stop job-1{option}"
    )


def test_what_is_not_sent_has_a_sentence_for_each_reason() -> None:
    lines = hints.left_behind({"training/weights.bin": 1_500_000, "a.txt": 3 << 20}, ["a.pem", "b.key"], ["pipe"])
    assert lines == [
        "training/weights.bin: 1.43 MiB is not code, and is not sent",
        "a.txt: 3 MiB is not code, and is not sent",
        "not sent, for they look like secrets: a.pem, b.key (--send NAME sends one all the same)",
        "not sent, for they are no regular files: pipe",
    ]
    assert hints.left_behind({}, [], []) == []
