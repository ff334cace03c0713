from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.documents import sealed_json

DOCUMENTS = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
        lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=5), part, max_size=3),
        max_leaves=10,
    ),
    max_size=5,
)


@given(DOCUMENTS)
def test_a_sealed_document_is_intact_after_it_was_written_and_read(document: dict[str, object]) -> None:
    text = json.dumps(sealed_json.sealed(document)).encode()
    assert sealed_json.is_intact(sealed_json.parse(text, len(text)))


@given(DOCUMENTS, st.text(max_size=5))
def test_a_document_with_a_key_more_is_not_intact(document: dict[str, object], key: str) -> None:
    sealed = sealed_json.sealed(document)
    if key not in sealed:
        assert not sealed_json.is_intact(sealed | {key: None})


def test_tuples_and_keys_that_are_numbers_are_sealed_as_json_has_them() -> None:
    sealed = sealed_json.sealed({"a": (1, 2), "b": {3: 4}})
    assert sealed_json.is_intact(json.loads(json.dumps(sealed)))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"12345", "larger than 4 bytes"),
        (b"\xff", "codec can't decode"),
        (b"{", "Expecting"),
        (b"[[[[", "Expecting"),
    ],
)
def test_content_that_is_no_small_json_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        sealed_json.parse(content, 4)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '"\\udc00"', '{"\\ud800": 1}'])
def test_what_nothing_can_print_or_compute_with_is_refused_on_request(text: str) -> None:
    sealed_json.parse(text.encode(), 100)
    with pytest.raises(ValueError, match=r"is not a number|surrogates not allowed"):
        sealed_json.parse(text.encode(), 100, strict=True)


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="nested too deep"):
        sealed_json.parse(b"[" * 1_000_000, 1 << 30)
