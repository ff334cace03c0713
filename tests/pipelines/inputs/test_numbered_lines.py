from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from pipelines.errors import InputError
from pipelines.inputs.numbered_lines import MAX_DIGITS, coordinate, lines_of


@pytest.mark.parametrize("is_gzip", [False, True])
def test_lines_come_with_their_numbers_and_without_their_ends(tmp_path: Path, is_gzip: bool) -> None:
    content = b"\xef\xbb\xbffirst\r\n\nthird \xff\nlast"
    path = tmp_path / "a.txt"
    path.write_bytes(gzip.compress(content) if is_gzip else content)
    assert list(lines_of(path)) == [(1, "first"), (2, ""), (3, "third \ufffd"), (4, "last")]


def test_a_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Is a directory: check the path"):
        list(lines_of(tmp_path))


def test_a_gzip_stream_with_wrong_bytes_is_an_error(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(b"chr1\t1\t2\n" * 1000))
    content[-8] ^= 1
    (tmp_path / "a.gz").write_bytes(content)
    with pytest.raises(InputError, match="damaged or cut off: fetch the file again"):
        list(lines_of(tmp_path / "a.gz"))


def test_a_coordinate_has_only_ascii_digits_and_fits_a_chromosome() -> None:
    assert coordinate("9" * MAX_DIGITS, Path("a"), 1) == 10**MAX_DIGITS - 1
    for text in ("", "-1", "1.0", "１", "1_0", " 1"):
        with pytest.raises(InputError, match=r"a: line 7: .* is not a whole number: fix the line"):
            coordinate(text, Path("a"), 7)
    with pytest.raises(InputError, match="larger than any chromosome"):
        coordinate("1" * (MAX_DIGITS + 1), Path("a"), 7)
