from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.errors import InputError
from pipelines.inputs import compression
from pipelines.inputs.numbered_lines import lines_of

Pack = Callable[[bytes], bytes]
zstd: Pack = partial(pa.compress, codec="zstd", asbytes=True)
lzma_alone: Pack = partial(lzma.compress, format=lzma.FORMAT_ALONE)
PACKS: dict[str, Pack] = {
    name: cache(pack)
    for name, pack in (
        ("gzip", gzip.compress),
        ("bzip2", bz2.compress),
        ("xz", lzma.compress),
        ("lzma", lzma_alone),
        ("Zstandard", zstd),
    )
}
# Does not compress, so that a part of the stream is a part of the text.
TEXT = b"".join(b"%d\n" % (number * 2654435761 % 2**32) for number in range(60_000))


def read(path: Path, data: bytes) -> bytes:
    path.write_bytes(data)
    with path.open("rb") as stream, compression.decompressed(stream, path) as plain:
        return plain.read()


@pytest.mark.parametrize("kind", PACKS)
def test_any_compression_is_recognised_by_content_and_read_whole(tmp_path: Path, kind: str) -> None:
    packed = PACKS[kind](TEXT)
    assert compression.kind_of(packed[:64]) == kind
    assert read(tmp_path / "a.txt", packed) == TEXT
    assert read(tmp_path / "a.txt", packed + packed) == TEXT + TEXT
    assert read(tmp_path / "a.txt", PACKS[kind](b"")) == b""


@pytest.mark.parametrize("kind", PACKS)
@pytest.mark.parametrize("share", [0.3, 0.999])
def test_a_stream_that_is_cut_off_is_an_error(tmp_path: Path, kind: str, share: float) -> None:
    packed = PACKS[kind](TEXT)
    with pytest.raises(InputError, match=rf"the {kind} stream is damaged or cut off: fetch the file again"):
        read(tmp_path / "a", packed[: int(len(packed) * share)])


@pytest.mark.parametrize("kind", PACKS)
def test_a_later_member_that_is_cut_off_is_an_error(tmp_path: Path, kind: str) -> None:
    packed = PACKS[kind](TEXT)
    with pytest.raises(InputError, match=rf"the {kind} stream is damaged or cut off"):
        read(tmp_path / "a", packed + packed[:200])


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "Zstandard"])
def test_other_bytes_after_the_last_member_are_an_error(tmp_path: Path, kind: str) -> None:
    with pytest.raises(InputError, match=rf"the {kind} stream is damaged or cut off"):
        read(tmp_path / "a", PACKS[kind](TEXT) + b"and something else")


@pytest.mark.parametrize("kind", ["gzip", "xz"])
def test_padding_after_the_last_member_is_skipped(tmp_path: Path, kind: str) -> None:
    assert read(tmp_path / "a", PACKS[kind](TEXT) + bytes(512)) == TEXT


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"])
def test_a_flipped_bit_is_an_error(tmp_path: Path, kind: str) -> None:
    packed = bytearray(PACKS[kind](TEXT))
    packed[len(packed) // 2] ^= 4
    with pytest.raises(InputError, match=rf"the {kind} stream is damaged|within {kind}"):
        read(tmp_path / "a", packed)


@pytest.mark.parametrize("outer", PACKS)
@pytest.mark.parametrize("inner", ["gzip", "xz", "Zstandard"])
def test_a_file_that_is_compressed_twice_is_refused_by_both_names(tmp_path: Path, outer: str, inner: str) -> None:
    with pytest.raises(InputError, match=rf"a: {inner} within {outer}: compressed twice: decompress it once"):
        read(tmp_path / "a", PACKS[outer](PACKS[inner](TEXT)))


def test_a_seekable_zstandard_file_is_read_whole(tmp_path: Path) -> None:
    skipped = b"\x5e\x2a\x4d\x18" + (9).to_bytes(4, "little") + bytes(9)
    assert read(tmp_path / "a", zstd(TEXT) + skipped) == TEXT
    assert read(tmp_path / "a", skipped + zstd(TEXT)) == TEXT


def test_blocks_of_any_size_are_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "BUFFER", 7)
    for pack in (bz2.compress, lzma.compress):
        assert read(tmp_path / "a", pack(TEXT[:5000]) + pack(TEXT[5000:9000])) == TEXT[:9000]


def test_an_xz_header_that_asks_for_too_much_memory_is_an_error(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
    packed = bytearray(lzma.compress(b"ACGT\n" * 10, format=lzma.FORMAT_RAW, filters=filters))
    # A header of the older format: properties, a dictionary of 4 GB, and an unknown length.
    header = b"\x5d" + (0xFFFFFFFF).to_bytes(4, "little") + b"\xff" * 8
    assert compression.kind_of(header) is None
    with pytest.raises(InputError, match=r"too much memory|damaged"):
        read(tmp_path / "a", b"\x5d\0\0\0\x80" + b"\xff" * 8 + bytes(packed))


@pytest.mark.parametrize("kind", PACKS)
def test_lines_of_text_come_out_of_any_compression(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a").write_bytes(PACKS[kind](b"\xef\xbb\xbfone\r\ntwo"))
    assert list(lines_of(tmp_path / "a")) == [(1, "one"), (2, "two")]


def test_a_plain_file_is_read_as_it_is(tmp_path: Path) -> None:
    assert read(tmp_path / "a", b"BZhello\n") == b"BZhello\n"
    assert isinstance(compression.decompressed(io.BufferedReader(io.BytesIO(b"x")), tmp_path), io.BufferedReader)  # type: ignore[type-var]


@pytest.mark.parametrize(("name", "plain"), [("a.gff3.GZ", "a.gff3"), ("a.xz", "a"), ("a.bed", "a.bed"), ("gz", "gz")])
def test_the_name_without_the_ending_of_a_compression(name: str, plain: str) -> None:
    assert compression.plain_name(name) == plain
