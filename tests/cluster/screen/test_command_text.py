from __future__ import annotations

import pytest

from cluster.screen import command_text
from tests.cluster.paths.test_output_paths import parsers


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (
            ["evaluate", "a b", "--dataset", "d", "--report", "x.html", "--seed", "1"],
            "evaluate 'a b' --dataset d --seed 1",
        ),
        (["evaluate", "a", "--report=x.html", "--dataset", "d", "--verbose"], "evaluate a --dataset d"),
        (["evaluate", "--json", "x.json", "a", "b", "--dataset", "d"], "evaluate a b --dataset d"),
        (["tune", "e.yaml", "--output", "o", "--training.epochs", "2"], "tune e.yaml --training.epochs 2"),
        (["inspect", "d", "--log-level", "debug"], "inspect d"),
    ],
)
def test_what_is_written_and_how_much_is_shown_are_left_out(line: list[str], text: str) -> None:
    assert command_text.of(parsers()[line[0]], line) == f"raygene {text}"
