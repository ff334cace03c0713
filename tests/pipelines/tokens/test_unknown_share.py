from __future__ import annotations

import pytest

from pipelines.errors import InputError
from pipelines.progress import Silent
from pipelines.tokens import unknown_share


class Warnings(Silent):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def warn(self, text: str) -> None:
        self.texts.append(text)


@pytest.mark.parametrize(("share", "warned"), [(0.0, False), (0.0999, False), (0.1, True), (0.5, True)])
def test_a_source_is_told_of_from_the_first_limit_on(share: float, warned: bool) -> None:
    progress = Warnings()
    unknown_share.check("g", share, 0.1, 0.5, "tokenizer.max_unknown", progress)
    assert bool(progress.texts) == warned


def test_a_source_beyond_the_second_limit_is_refused_with_the_key() -> None:
    with pytest.raises(InputError, match=r"g: 99% of its tokens are <unk> .* more than 50%") as caught:
        unknown_share.check("g", 0.99, 0.1, 0.5, "tokenizer.max_unknown", Warnings())
    assert caught.value.key == "tokenizer.max_unknown"
    assert "raise tokenizer.max_unknown" in caught.value.fix


def test_a_limit_of_1_accepts_everything_with_a_warning() -> None:
    progress = Warnings()
    unknown_share.check("g", 1.0, 0.1, 1.0, None, progress)
    assert "100% of its tokens are <unk>" in progress.texts[0]


def test_a_limit_below_the_first_is_the_limit() -> None:
    with pytest.raises(InputError):
        unknown_share.check("g", 0.05, 0.1, 0.01, None, Warnings())
