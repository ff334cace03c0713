"""What a file is that is no text: told by its first bytes, so that an error can name it and what to do."""

from __future__ import annotations

from pathlib import Path

from pipelines.errors import InputError

HEAD = 1024
_UNPACK = "unpack it, and name the file in it"
_TEXT = "export it as text"
_AGAIN = "fetch the file again"
_CONVERT = "convert it to FASTA and GFF3"
# The first bytes, what the file is, and what to do.
_BINARY: tuple[tuple[bytes, str, str], ...] = (
    (b"PK\x05\x06", "an empty zip archive", "name another file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"!<arch>\n", "an ar archive", _UNPACK),
    (b"\x1f\x9d", "compressed with compress (.Z)", "decompress it with gunzip"),
    (b"\x1f\xa0", "compressed with an old compress", "decompress it with gunzip"),
    (b"\x1f\x1e", "compressed with pack (.z)", "decompress it with gunzip"),
    (b"\x04\x22\x4d\x18", "compressed with lz4", "decompress it with unlz4"),
    (b"LZIP\1", "compressed with lzip", "decompress it with lzip -d"),
    (b"\x89LZO", "compressed with lzop", "decompress it with lzop -d"),
    (b"\xff\x06\0\0sNaPpY", "compressed with snappy", "decompress it"),
    (b"\x43\x27\x41\x1a", "a 2bit file", "convert it with twoBitToFa"),
    (b"\x1a\x41\x27\x43", "a 2bit file", "convert it with twoBitToFa"),
    (b"BAM\1", "a BAM file", "name the reference or the annotation, not alignments"),
    (b"CRAM\2", "a CRAM file", "name the reference or the annotation, not alignments"),
    (b"CRAM\3", "a CRAM file", "name the reference or the annotation, not alignments"),
    (b"BCF\2", "a BCF file", "name the reference or the annotation, not variants"),
    (b"TBI\1", "a tabix index", "name the file that it is the index of"),
    (b"CSI\1", "a CSI index", "name the file that it is the index of"),
    (b"\x26\xfc\x8f\x88", "a bigWig file", "convert it with bigWigToBedGraph"),
    (b"\x88\x8f\xfc\x26", "a bigWig file", "convert it with bigWigToBedGraph"),
    (b"\xeb\xf2\x89\x87", "a bigBed file", "convert it with bigBedToBed"),
    (b"\x87\x89\xf2\xeb", "a bigBed file", "convert it with bigBedToBed"),
    (b"NCBI.sra", "an SRA archive", "convert it with fasterq-dump"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", _TEXT),
    (b"PAR1\x15", "a Parquet file", "export it as text (CSV or TSV)"),
    (b"ARROW1\0\0", "an Arrow file", "export it as text (CSV or TSV)"),
    (b"SQLite format 3\0", "an SQLite database, perhaps of gffutils", _TEXT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document (.xls)", "export it as text (CSV or TSV)"),
    (b"\x93NUMPY", "a NumPy file", _TEXT),
    (b"%PDF", "a PDF document", "name the file with the data itself"),
    (b"{\\rtf", "an RTF document", "save it as plain text"),
    (b"\x89PNG", "an image", "name the file with the data itself"),
    (b"\xff\xd8\xff", "an image", "name the file with the data itself"),
    (b"\x7fELF", "a program", "name the file with the data itself"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "fetch it with git lfs pull"),
    (b"/annex/objects/", "a pointer of git-annex, not the file itself", "fetch it with git annex get"),
    (b"LOCUS       ", "a GenBank file", _CONVERT),
    (b"\xff\xfe\0\0", "UTF-32 text", "convert it with iconv -f UTF-32 -t UTF-8"),
    (b"\0\0\xfe\xff", "UTF-32 text", "convert it with iconv -f UTF-32 -t UTF-8"),
    (b"\xff\xfe", "UTF-16 text", "convert it with iconv -f UTF-16 -t UTF-8"),
    (b"\xfe\xff", "UTF-16 text", "convert it with iconv -f UTF-16 -t UTF-8"),
)
_OFFICE = (b"[Content_Types].xml", b"_rels/", b"xl/", b"docProps/")


def name_of(head: bytes) -> tuple[str, str] | None:
    """What a file that begins with these bytes is, and what to do about it; None for text."""
    for magic, name, fix in _BINARY:
        if head.startswith(magic):
            return name, fix
    if head.startswith(b"PK\x03\x04"):
        if any(part in head for part in _OFFICE):
            return "an Excel workbook or another Office document", "export it as text (CSV or TSV)"
        return "a zip archive", _UNPACK
    if head.startswith(b"ID   ") and b"; " in head.partition(b"\n")[0]:
        return "an EMBL file", _CONVERT
    if head[257:262] == b"ustar":
        return "a tar archive", _UNPACK
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:64].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head")):
        return "an HTML page, perhaps of a download that failed", _AGAIN
    if start.startswith((b"<?xml", b"<error", b"<!doctype")):
        return "an XML document, perhaps of a download that failed", _AGAIN
    if start.startswith((b'{"', b"{\n", b"{\r")):
        return "a JSON document", "name the file with the data itself"
    if b"\0" in head:
        # Text without a byte order mark: every second byte of what is ASCII is 0.
        in_order = {head[0:16:2].strip(b"\0") == b"", head[1:16:2].strip(b"\0") == b""}
        if len(head) >= 4 and in_order == {True, False}:
            return "UTF-16 text", "convert it with iconv -f UTF-16LE -t UTF-8 (or UTF-16BE)"
        # Further on they are an error with their line.
        if b"\0" in head[:4]:
            return "not text (it begins with NUL bytes)", "name a text file, or fetch it again"
    return None


def require_text(head: bytes, path: Path, within: str = "") -> None:
    """Refuse a file that is no text, by what it is.

    Args:
        head: its first bytes.
        path: its path.
        within: kind of compression that it was taken out of; empty for none.

    Raises:
        InputError: it is no text.
    """
    if found := name_of(head):
        name, fix = found
        raise InputError(f"{path}: {name}{f' within {within}' if within else ''}", fix)
