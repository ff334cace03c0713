from __future__ import annotations

import gzip
import io
import sqlite3
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.errors import InputError
from pipelines.inputs.numbered_lines import lines_of

GFF = "##gff-version 3\nchr1\t.\tgene\t1\t9\t.\t+\t.\tID=a\n"


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, GFF)
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("a.gff3")
        member.size = len(GFF)
        archive.addfile(member, io.BytesIO(GFF.encode()))
    return buffer.getvalue()


def parquet() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"name": ["a"]}), buffer)
    return buffer.getvalue()


def array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(3))
    return buffer.getvalue()


def database(folder: Path) -> bytes:
    with sqlite3.connect(folder / "db") as connection:
        connection.execute("create table features (id text)")
    return (folder / "db").read_bytes()


FILES = {
    "a zip archive: unpack it": zipped("a.gff3"),
    "an Excel workbook or another Office document: export it as text": zipped("[Content_Types].xml", "xl/workbook.xml"),
    "a tar archive: unpack it": tarred(),
    "a tar archive within gzip: unpack it": gzip.compress(tarred()),
    "a BAM file within gzip: name the reference": gzip.compress(b"BAM\1" + bytes(40)),
    "a tabix index within gzip": gzip.compress(b"TBI\1" + bytes(40)),
    "a CRAM file": b"CRAM\3\0" + bytes(20),
    "a 2bit file: convert it with twoBitToFa": b"\x43\x27\x41\x1a" + bytes(12),
    "a bigBed file: convert it with bigBedToBed": b"\xeb\xf2\x89\x87" + bytes(12),
    r"compressed with compress \(.Z\)": b"\x1f\x9d\x90abc",
    "compressed with lz4": pa.compress(GFF.encode() * 9, codec="lz4", asbytes=True),
    "a Parquet file: export it as text": parquet(),
    "a NumPy file": array(),
    "an HDF5 file": b"\x89HDF\r\n\x1a\n" + bytes(20),
    "a PDF document": b"%PDF-1.7\n",
    "an RTF document: save it as plain text": b"{\\rtf1\\ansi",
    "an HTML page, perhaps of a download that failed: fetch the file again": b"\n <!doctype HTML>\n<html>",
    "an XML document": b"\xef\xbb\xbf<?xml version='1.0'?>",
    "a JSON document": b'{"error": "not found"}',
    "UTF-16 text: convert it with iconv -f UTF-16 -t UTF-8": GFF.encode("utf-16"),
    "UTF-16 text: convert it with iconv -f UTF-16LE": GFF.encode("utf-16-le"),
    r"UTF-16 text: convert it with iconv -f UTF-16LE -t UTF-8 \(or UTF-16BE\)": GFF.encode("utf-16-be"),
    "UTF-32 text": GFF.encode("utf-32"),
    "an EMBL file": b"ID   X56734; SV 1; linear; mRNA; STD; PLN; 1859 BP.\n",
    "a GenBank file": b"LOCUS       SCU49845     5028 bp    DNA\n",
    "a pointer of git-annex": b"/annex/objects/SHA256E-s12--abc.gz\n",
    "not text .it begins with NUL bytes.": bytes(100),
    "line 2: holds NUL bytes": b"chr1\t1\t2\n\0\0\0\0",
}


@pytest.mark.parametrize("message", FILES)
def test_what_is_no_text_is_refused_by_what_it_is(tmp_path: Path, message: str) -> None:
    (tmp_path / "a.gff3").write_bytes(FILES[message])
    with pytest.raises(InputError, match=rf"a\.gff3: {message}"):
        list(lines_of(tmp_path / "a.gff3"))


def test_a_database_of_features_is_refused_by_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.gff3").write_bytes(database(tmp_path))
    with pytest.raises(InputError, match="an SQLite database, perhaps of gffutils"):
        list(lines_of(tmp_path / "a.gff3"))


@pytest.mark.parametrize(
    "line", ["ORC1\t1", "PAR1\t0", "CRAM1\t1", "LZIP\tx", "ID   label", "BAM2\t1", "{a}\t1", "PK\t1", "7z\t1", "]x\t1"]
)
def test_a_name_that_begins_like_another_format_is_text(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.tsv").write_text(line + "\n")
    assert list(lines_of(tmp_path / "a.tsv")) == [(1, line)]


def test_nul_bytes_further_on_are_an_error_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "a.bed").write_bytes(b"chr1\t1\t2\n" * 500 + bytes(4096))
    with pytest.raises(InputError, match=r"a\.bed: line 501: holds NUL bytes: fetch the file again"):
        list(lines_of(tmp_path / "a.bed"))
