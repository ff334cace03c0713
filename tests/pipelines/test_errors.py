from __future__ import annotations

import pytest

from pipelines.errors import BusyError, RaygeneError, StorageError, UsageError


def test_an_error_is_one_line_of_problem_and_fix() -> None:
    error = RaygeneError("genome.fa: line 3:\n no letters", "fix the line")
    assert str(error) == "genome.fa: line 3: no letters: fix the line"
    assert str(RaygeneError("genome.fa: empty")) == "genome.fa: empty"


@pytest.mark.parametrize(("kind", "code"), [(UsageError, "usage"), (StorageError, "storage"), (BusyError, "busy")])
def test_the_code_of_an_error_is_its_class_s_unless_given(kind: type[RaygeneError], code: str) -> None:
    assert kind("a problem").code == code
    assert kind("a problem", code="other").code == "other"
    assert kind.code == code


def test_an_error_names_the_configuration_key_it_is_about() -> None:
    assert UsageError("model.kind: unknown", key="model.kind").key == "model.kind"
    assert UsageError("a flag is missing").key is None
