from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pytest

from pipelines.errors import InputError
from pipelines.inputs import numbered_lines
from pipelines.inputs.numbered_lines import MAX_DIGITS, MAX_ROW, coordinate, lines_of, require_row


@pytest.mark.parametrize("is_gzip", [False, True])
def test_lines_come_with_their_numbers_and_without_their_ends(tmp_path: Path, is_gzip: bool) -> None:
    content = b"\xef\xbb\xbffirst\r\n\nthird \xff\nlast"
    path = tmp_path / "a.txt"
    path.write_bytes(gzip.compress(content) if is_gzip else content)
    assert list(lines_of(path)) == [(1, "first"), (2, ""), (3, "third \ufffd"), (4, "last")]


def test_a_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a directory: name a file"):
        list(lines_of(tmp_path))


def test_a_gzip_stream_with_wrong_bytes_is_an_error(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(b"chr1\t1\t2\n" * 1000))
    content[-8] ^= 1
    (tmp_path / "a.gz").write_bytes(content)
    with pytest.raises(InputError, match="damaged or cut off: fetch the file again"):
        list(lines_of(tmp_path / "a.gz"))


def test_a_coordinate_has_only_ascii_digits_and_fits_a_chromosome() -> None:
    assert coordinate("9" * MAX_DIGITS, Path("a"), 1) == 10**MAX_DIGITS - 1
    for text in ("", "-", "1.0", "-1.0", "-１", "１", "1_0", " 1"):
        with pytest.raises(InputError, match=r"a: line 7: .* is not a whole number: fix the line"):
            coordinate(text, Path("a"), 7)
    with pytest.raises(InputError, match="a: line 7: -1 is negative, which no position is: fix the line"):
        coordinate("-1", Path("a"), 7)
    with pytest.raises(InputError, match="larger than any chromosome"):
        coordinate("1" * (MAX_DIGITS + 1), Path("a"), 7)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("longest", [None, 3, 10, 10**6])
def test_lines_are_those_of_the_text_whatever_the_block_size(
    tmp_path: Path, end: str, longest: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["", "a", "bcdefgh" * 9, "", "ij", "k" * 64, "l"]
    path = tmp_path / "a.txt"
    path.write_bytes(end.join(lines).encode())
    for block in (1, 2, 7, 64, 10_000):
        monkeypatch.setattr(numbered_lines, "_BLOCK", block)
        expected = [line if longest is None else line[: longest + 1] for line in lines]
        assert [line for _, line in lines_of(path, longest)] == expected


def test_a_file_of_one_endless_line_takes_no_memory_and_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.gff3.gz"
    with gzip.open(path, "wb", compresslevel=1) as packed:
        for _ in range(64):
            packed.write(b"x" * 2**20)
    tracemalloc.start()
    ((number, line),) = lines_of(path, MAX_ROW)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(line) == MAX_ROW + 1
    assert peak < 16 * 2**20
    with pytest.raises(InputError, match="line 1: longer than 1,048,576 letters"):
        require_row(line, path, number)
