from __future__ import annotations

import os

import pytest

from pipelines.environment import with_defaults


def test_variables_are_set_for_a_block_and_those_of_the_user_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_USER", "1")
    monkeypatch.delenv("OF_BLOCK", raising=False)
    before = dict(os.environ)
    with with_defaults({"OF_USER": "0", "OF_BLOCK": "0"}):
        assert (os.environ["OF_USER"], os.environ["OF_BLOCK"]) == ("1", "0")
    assert dict(os.environ) == before
