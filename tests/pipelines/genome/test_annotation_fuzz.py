"""Whatever an annotation or a FASTA file holds, reading it gives a source or an error of raygene's own."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from pipelines.config import NegativesConfig, SourceConfig
from pipelines.errors import RaygeneError
from pipelines.genome.source import read_source
from pipelines.progress import Silent
from tests.hypothesis_profiles import examples

FASTA = b">c1 first\nACGTNNNNNN\nacgtRYACGT\nAC\n>c2\nGGGGCCCC\n"
ROWS = [
    b"c1\ts\tgene\t2\t9\t.\t+\t.\tID=a;biotype=x",
    b"c2\ts\tgene\t1\t8\t.\t-\t.\tID=gene%3Ab",
    b'c1\ts\texon\t3\t12\t.\t-\t.\tgene_id "c"; transcript_id "c.1";',
    b"c1\t1\t9\tname\t0\t+",
    b"##FASTA",
    b"# note",
    b"",
]
fields = st.one_of(
    st.sampled_from(
        [b"c1", b"c2", b"chr1", b"gene", b"mRNA", b"+", b"-", b"?", b".", b"0", b"-1", b"9" * 40, b"ID=a", b""]
    ),
    st.integers(0, 30).map(lambda number: str(number).encode()),
    st.binary(max_size=8),
)
rows = st.one_of(st.sampled_from(ROWS), st.lists(fields, max_size=12).map(b"\t".join), st.binary(max_size=40))
files = st.tuples(st.lists(rows, max_size=8), st.sampled_from([b"\n", b"\r\n", b"\r"]))


def mutated(whole: bytes) -> st.SearchStrategy[bytes]:
    """The content with pieces cut out, duplicated or overwritten."""
    piece = st.tuples(st.integers(0, len(whole)), st.integers(0, 12), st.binary(max_size=6))

    def apply(pieces: list[tuple[int, int, bytes]]) -> bytes:
        content = whole
        for position, count, replacement in pieces:
            content = content[:position] + replacement + content[position + count :]
        return content

    return st.lists(piece, max_size=4).map(apply)


def check_outcome(fasta: bytes, annotation: bytes) -> None:
    with TemporaryDirectory() as folder:
        paths = Path(folder, "g.fa"), Path(folder, "a.txt")
        for path, content in zip(paths, (fasta, annotation), strict=True):
            path.write_bytes(content)
        try:
            source = read_source(
                SourceConfig(genome="g", fasta=str(paths[0]), annotation=str(paths[1])), NegativesConfig(), Silent()
            )
        except RaygeneError as error:
            message = str(error)
            source = None
        if source is None:
            assert "\n" not in message
            return
        used = sum(map(len, source.genes.values()))
        assert source.features == used + source.dropped.total()
        for name, length in source.lengths.items():
            assert len(source.genome.sequence(name, 0, length)) == length
        source.genome.close()


@examples(1000)
@given(files)
def test_any_annotation_gives_a_source_or_an_error_of_our_own(written: tuple[list[bytes], bytes]) -> None:
    lines, line_end = written
    check_outcome(FASTA, line_end.join([ROWS[0], *lines]))


@examples(1000)
@given(mutated(FASTA), mutated(b"\n".join(ROWS[:2])))
def test_any_pair_of_files_gives_a_source_or_an_error_of_our_own(fasta: bytes, annotation: bytes) -> None:
    check_outcome(fasta, annotation)
