from __future__ import annotations

import bz2
import gzip
import lzma
import os
import pickle
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyfaidx
import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import storage
from pipelines.errors import InputError, StorageError
from pipelines.genome.fasta import Genome, open_genome
from pipelines.inputs import contents
from pipelines.progress import Silent
from tests.conftest import GenomeFiles
from tests.hypothesis_profiles import examples


def compressed(genome: GenomeFiles, folder: Path, how: str) -> Path:
    if how == "plain":
        return genome.fasta
    target = folder / "genome.fa.gz"
    if how == "bgzip":
        pysam.tabix_compress(str(genome.fasta), str(target))
    else:
        target.write_bytes(gzip.compress(genome.fasta.read_bytes()))
    return target


@pytest.mark.parametrize("how", ["plain", "gzip", "bgzip"])
def test_any_part_of_a_sequence_reads_as_written(genome: GenomeFiles, tmp_path: Path, how: str) -> None:
    opened = open_genome("toy", compressed(genome, tmp_path, how), Silent())
    for name, text in genome.sequences.items():
        assert opened.lengths[name] == len(text)
        for start, end in [(0, len(text)), (55, 66), (119, 121), (7, 7), (len(text) - 1, len(text))]:
            assert opened.sequence(name, start, end).tobytes().decode() == text[start:end]


@examples(40)
@given(
    st.lists(st.text("ACGTNacgtnRYk", min_size=1, max_size=90), min_size=1, max_size=4), st.integers(1, 40), st.data()
)
def test_lines_of_any_width_read_as_pyfaidx_reads_them(sequences: list[str], width: int, data: st.DataObject) -> None:
    line_end = data.draw(st.sampled_from(["\n", "\r\n"]))
    lines = [
        line
        for number, text in enumerate(sequences)
        for line in (f">s{number} x", *(text[first : first + width] for first in range(0, len(text), width)))
    ]
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.fa")
        path.write_bytes((line_end.join(lines) + line_end).encode())
        opened, oracle = open_genome("toy", path, Silent()), pyfaidx.Fasta(str(path), sequence_always_upper=False)
        for number, text in enumerate(sequences):
            start = data.draw(st.integers(0, len(text)))
            end = data.draw(st.integers(start, len(text) + 5))
            letters = opened.sequence(f"s{number}", start, end).tobytes().decode()
            assert letters == text[start:end] == str(oracle[f"s{number}"][start:end])
        opened.close()


@pytest.mark.parametrize("text", [">c\nACGT\nACGTAC\nAC\n>d\nA\n", ">c\nACGT\nAC\nACGT\n", ">c\nACGT\nAC GT\n"])
def test_lines_of_unequal_length_are_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.fa").write_text(text)
    with pytest.raises(InputError, match=r"a\.fa: the lines of sequence 'c' have unequal lengths"):
        open_genome("toy", tmp_path / "a.fa", Silent())


def test_nothing_is_written_next_to_the_input(genome: GenomeFiles, tmp_path: Path) -> None:
    before = sorted(genome.fasta.parent.iterdir())
    assert open_genome("toy", genome.fasta, Silent()).lengths
    assert sorted(genome.fasta.parent.iterdir()) == before


def first_bases(path: str) -> bytes:
    return open_genome("toy", Path(path), Silent()).sequence("chr1", 0, 50).tobytes()


def test_processes_that_index_at_once_agree(
    genome: GenomeFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "fresh"))
    packed = compressed(genome, tmp_path, "gzip")
    with ProcessPoolExecutor(4) as pool:
        results = set(pool.map(first_bases, [str(packed)] * 8))
    assert results == {genome.sequences["chr1"][:50].encode()}


def test_runs_of_n_are_those_of_the_chromosome_and_of_the_length_at_least(tmp_path: Path) -> None:
    (tmp_path / "a.fa").write_text(">a\nNNACNNNGNNNN\n>b\nNNN\n")
    opened = open_genome("toy", tmp_path / "a.fa", Silent())
    assert opened.runs_of_n("a", 3).tolist() == [[4, 7], [8, 12]]
    assert opened.runs_of_n("a", 4).tolist() == [[8, 12]]
    assert opened.runs_of_n("b", 3).tolist() == [[0, 3]]


def test_a_cut_off_gzip_is_an_error_and_leaves_nothing_in_the_cache(genome: GenomeFiles, tmp_path: Path) -> None:
    whole = gzip.compress(genome.fasta.read_bytes() + b"A" * 17)
    cut = tmp_path / "cut.fa.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    before = set((storage.cache_directory() / "genomes").glob("*.fa"))
    with pytest.raises(InputError, match=r"cut\.fa\.gz: the gzip stream is damaged or cut off"):
        open_genome("toy", cut, Silent())
    assert set((storage.cache_directory() / "genomes").glob("*.fa")) == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"not a FASTA file \(it is empty\)"),
        ("\n\n", r"not a FASTA file \(it is empty\)"),
        ("chr1\t1\t2\n", r"not a FASTA file \(it begins with 'chr1\\t1\\t2', not with '>'\)"),
        ("@read\nACGT\n+\nIIII\n", "a FASTQ file, not FASTA: convert it, for example with seqtk seq -a"),
        ("; a comment\n>a\nACGT\n", "begins with a ';' comment, not with '>'"),
        (
            ">a\rACGT\r>b\rAC\r",
            r"has CR line ends, .*: convert it, with tr '\\r' '\\n' < OLD > NEW$",
        ),
        (">a\nACGT\n\nACGT\n", "lines of sequence 'a' have unequal lengths"),
        (">a\nACGT\n; comment\nACGT\n", "lines of sequence 'a' have unequal lengths"),
        (">a\nACGT\0\0\n", "sequence 'a' holds NUL bytes: fetch the file again"),
        ("<!DOCTYPE html>\n<html>", "an HTML page, perhaps of a download that failed: fetch the file again"),
        ('<?xml version="1.0"?><Error>', "an XML document"),
        ("LOCUS       NC_001133  230218 bp    DNA", "a GenBank file: convert it to FASTA and GFF3"),
        ("version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS, not the file itself"),
        (">a\nACGT\nAC\nACGT\n", "lines of sequence 'a' have unequal lengths"),
        (">a\nACGT\n>a\nACGT\n", "two sequences have the name 'a'"),
        (">\nACGT\n", "without a readable name"),
    ],
)
def test_a_file_that_is_not_good_fasta_is_an_error(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "bad.fa"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        open_genome("toy", path, Silent())


CHANGED = r"a\.fa: changed while it was read: run the same command again"


@pytest.mark.parametrize("other", [">a\nACGT\n", ">a\nACGT\nACGA\n", ">b\nACGT\nACGT\n", ""])
def test_a_file_that_changed_after_it_was_opened_is_an_error(tmp_path: Path, other: str) -> None:
    path = tmp_path / "a.fa"
    path.write_text(">a\nACGT\nACGT\n")
    opened = open_genome("toy", path, Silent())
    assert opened.sequence("a", 0, 4).tobytes() == b"ACGT"
    path.write_text(other)
    with pytest.raises(InputError, match=CHANGED):
        opened.sequence("a", 0, 4)


def test_a_file_that_changed_before_another_process_opens_it_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.fa"
    path.write_text(">a\nACGT\n")
    sent = pickle.dumps(open_genome("toy", path, Silent()))
    path.write_text(">a\nACGA\n")
    with pytest.raises(InputError, match=CHANGED):
        _ = pickle.loads(sent).lengths


def test_another_file_on_another_machine_is_an_error_that_names_the_machines(tmp_path: Path) -> None:
    path = tmp_path / "a.fa"
    path.write_text(">a\nACGT\n")
    genome = Genome("toy", path, "0" * 64, machine="head")
    with pytest.raises(InputError, match=r"a\.fa: another file on machine .* than on head: put one copy on storage"):
        _ = genome.lengths
    path.unlink()
    with pytest.raises(InputError, match=r"a\.fa: No such file or directory \(on machine .*: put it where"):
        _ = genome.lengths


def test_a_file_that_is_touched_or_rewritten_with_the_same_bytes_reads_on(tmp_path: Path) -> None:
    path = tmp_path / "a.fa"
    path.write_text(">a\nACGT\n")
    opened = open_genome("toy", path, Silent())
    os.utime(path, ns=(0, 0))
    assert opened.sequence("a", 0, 4).tobytes() == b"ACGT"
    path.write_text(">a\nACGT\n")
    assert opened.sequence("a", 1, 4).tobytes() == b"CGT"


def test_a_file_that_another_was_renamed_over_reads_on_as_it_was(tmp_path: Path) -> None:
    path, other = tmp_path / "a.fa", tmp_path / "b.fa"
    path.write_text(">a\nACGT\n")
    opened = open_genome("toy", path, Silent())
    other.write_text(">a\nTTTT\n")
    other.rename(path)
    assert opened.sequence("a", 0, 4).tobytes() == b"ACGT"
    with pytest.raises(InputError, match=CHANGED):
        _ = pickle.loads(pickle.dumps(opened)).lengths


def test_letters_read_while_the_file_was_another_are_never_returned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.fa"
    path.write_text(">a\nACGT\n")
    opened, preadv, edits = open_genome("toy", path, Silent()), os.preadv, [">a\nTTTT\n", ">a\nACGT\n"]

    def edit_and_restore(*arguments: Any) -> int:
        if not edits:
            return preadv(*arguments)
        path.write_text(edits.pop(0))
        read = preadv(*arguments)
        path.write_text(edits.pop(0))
        return read

    monkeypatch.setattr(os, "preadv", edit_and_restore)
    assert opened.sequence("a", 0, 4).tobytes() == b"ACGT"


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        open_genome("toy", tmp_path / "none.fa", Silent())


@pytest.mark.parametrize("before", ["\ufeff", "\n\n", "\ufeff\r\n"])
def test_a_byte_order_mark_and_blank_lines_before_the_first_header_are_skipped(tmp_path: Path, before: str) -> None:
    path = tmp_path / "a.fa"
    path.write_text(before + ">a\nACGT\nAC\n>b\nGG\n", encoding="utf-8")
    opened = open_genome("toy", path, Silent())
    assert opened.lengths == {"a": 6, "b": 2}
    assert opened.sequence("a", 2, 6).tobytes() == b"GTAC"
    assert opened.sequence("b", 0, 2).tobytes() == b"GG"


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress, partial(pa.compress, codec="zstd", asbytes=True)])
def test_other_compressions_than_gzip_are_read_whatever_the_name(
    genome: GenomeFiles, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "genome.fa"
    path.write_bytes(pack(genome.fasta.read_bytes()))
    opened = open_genome("toy", path, Silent())
    for name, text in genome.sequences.items():
        assert opened.sequence(name, 0, len(text)).tobytes().decode() == text


def test_a_compressed_file_that_is_no_fasta_leaves_nothing_in_the_cache(tmp_path: Path) -> None:
    path = tmp_path / "bomb.fa.gz"
    path.write_bytes(gzip.compress(bytes(10_000_000)))
    with pytest.raises(InputError, match=r"bomb\.fa\.gz: not text \(it begins with NUL bytes\) within gzip"):
        open_genome("toy", path, Silent())
    assert not list((storage.cache_directory() / "genomes").glob(f"*{contents.of_file(path)}*"))


def test_unpacking_stops_before_the_disk_is_full(
    genome: GenomeFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "RESERVE", shutil.disk_usage(storage.cache_directory()).free + 10**12)
    monkeypatch.setattr(storage, "RESERVED_SHARE", 1.0)
    path = tmp_path / "genome.fa.gz"
    path.write_bytes(gzip.compress(genome.fasta.read_bytes() + b"A"))
    with pytest.raises(StorageError, match=r"[0-9] [MGT]iB are free, too few for unpacking .*genome\.fa\.gz: free"):
        open_genome("toy", path, Silent())
