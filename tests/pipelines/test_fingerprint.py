from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pipelines import fingerprint
from pipelines.errors import InputError


def test_equal_values_have_equal_fingerprints_whatever_the_order_of_their_keys() -> None:
    assert fingerprint.of_value({"a": 1, "b": [2]}) == fingerprint.of_value({"b": [2], "a": 1})
    assert fingerprint.of_value({"a": 1}) != fingerprint.of_value({"a": "1"})
    assert fingerprint.canonical_json({"b": "é", "a": None}) == '{"a":null,"b":"\\u00e9"}'


def test_the_fingerprint_of_a_file_is_the_sha256_of_its_bytes(tmp_path: Path) -> None:
    content = b"ACGT" * (1 << 19) + b"N"
    (tmp_path / "genome.fa").write_bytes(content)
    assert fingerprint.of_file(tmp_path / "genome.fa") == hashlib.sha256(content).hexdigest()


def test_a_file_that_cannot_be_read_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file or directory: check the path"):
        fingerprint.of_file(tmp_path / "missing.fa")


def test_seeds_stay_what_they_always_were() -> None:
    # Every dataset depends on these: another value is another dataset.
    assert fingerprint.seed(0, "split", "IV") == 1751054839
    assert fingerprint.seed("0", "split", "IV") == fingerprint.seed(0, "split", "IV")


def test_a_seed_fits_a_signed_integer_of_32_bits() -> None:
    assert all(0 <= fingerprint.seed(number) < 2**31 for number in range(1000))
