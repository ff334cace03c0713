from __future__ import annotations

import gzip
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pyfaidx
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import storage
from pipelines.errors import InputError
from pipelines.genome.fasta import open_genome
from pipelines.progress import Silent
from tests.conftest import GenomeFiles


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


@settings(max_examples=40, deadline=None)
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
        ("", "not a FASTA file"),
        ("chr1\t1\t2\n", "not a FASTA file"),
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


def test_a_file_that_became_shorter_after_it_was_indexed_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "a.fa"
    path.write_text(">a\nACGT\nACGT\n")
    opened = open_genome("toy", path, Silent())
    path.write_text(">a\nACGT\n")
    assert opened.sequence("a", 0, 4).tobytes() == b"ACGT"
    with pytest.raises(InputError, match=r"a\.fa: shorter than when it was indexed: run again"):
        opened.sequence("a", 0, 8)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        open_genome("toy", tmp_path / "none.fa", Silent())
