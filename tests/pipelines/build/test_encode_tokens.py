from __future__ import annotations

import pickle
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import schema
from pipelines.build import encode_tokens
from pipelines.errors import InputError
from pipelines.genome import sequence
from pipelines.genome.fasta import open_genome
from pipelines.progress import Silent
from pipelines.stores.staging import Staging
from pipelines.tokens.tokenizer import Tokenizer
from pipelines.tokens.vocabulary import UNK
from tests.conftest import GenomeFiles


def intervals(genome: GenomeFiles, count: int, seed: int = 0, shortest: int = 1) -> pa.Table:
    """Random intervals on both strands, sorted as a build sorts them."""
    generator = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        name = list(genome.sequences)[int(generator.integers(len(genome.sequences)))]
        size = int(generator.integers(shortest, 400))
        start = int(generator.integers(0, len(genome.sequences[name]) - size))
        rows.append((name, start, start + size, "+-"[number % 2]))
    rows.sort()
    columns = {
        "interval_id": np.arange(count),
        "genome": ["toy"] * count,
        "chromosome": [row[0] for row in rows],
        "start": [row[1] for row in rows],
        "end": [row[2] for row in rows],
        "strand": [row[3] for row in rows],
        "label": np.arange(count) % 2,
        "source": ["gene"] * count,
        "gene_id": [None] * count,
        "biotype": [None] * count,
        "split": ["train"] * count,
    }
    return pa.table(columns, schema=schema.INTERVALS)


def bedtools_sequences(genome: GenomeFiles, table: pa.Table, folder: Path) -> list[str]:
    """The same intervals by `bedtools getfasta -s`, an independent program."""
    fasta, bed = folder / "g.fa", folder / "i.bed"
    fasta.write_bytes(genome.fasta.read_bytes())
    rows = table.to_pylist()
    bed.write_text(
        "".join(f"{row['chromosome']}\t{row['start']}\t{row['end']}\t.\t0\t{row['strand']}\n" for row in rows)
    )
    finished = subprocess.run(
        ["bedtools", "getfasta", "-s", "-tab", "-fi", fasta, "-bed", bed], capture_output=True, text=True, check=True
    )
    return [line.split("\t")[1] for line in finished.stdout.splitlines()]


def plain_loop(text: str, tokenizer: Tokenizer, ids: dict[str, int]) -> list[int]:
    last = len(text) - tokenizer.k
    if last < 0:
        return [UNK]
    positions = list(range(0, last + 1, tokenizer.stride))
    if tokenizer.tail == "anchor" and positions[-1] != last:
        positions.append(last)
    return [ids.get(text[position : position + tokenizer.k].upper(), UNK) for position in positions]


def encoded_rows(genome: GenomeFiles, table: pa.Table, tokenizer: Tokenizer) -> pa.Table:
    bases, lengths = encode_tokens.strand_bases(open_genome("toy", genome.fasta, Silent()), table)
    return encode_tokens.encode(table, bases, sequence.base_codes(bases), lengths, tokenizer)


@pytest.mark.parametrize(
    "tokenizer",
    [Tokenizer(6, 3, "anchor"), Tokenizer(3, 1, "anchor"), Tokenizer(5, 5, "drop"), Tokenizer(8, 2, "anchor")],
)
def test_tokens_of_1000_intervals_equal_getfasta_and_a_plain_loop(
    genome: GenomeFiles, tmp_path: Path, tokenizer: Tokenizer
) -> None:
    table = intervals(genome, 1000)
    texts = bedtools_sequences(genome, table, tmp_path)
    ids = {token: number for number, token in enumerate(tokenizer.vocabulary)}
    encoded = encoded_rows(genome, table, tokenizer)
    for text, tokens in zip(texts, encoded["tokens"].to_pylist(), strict=True):
        assert tokens == plain_loop(text, tokenizer, ids)


def test_shares_equal_those_counted_in_the_sequence(genome: GenomeFiles, tmp_path: Path) -> None:
    table = intervals(genome, 200, seed=1)
    encoded = encoded_rows(genome, table, Tokenizer(4, 2, "anchor"))
    texts = bedtools_sequences(genome, table, tmp_path)
    for text, row in zip(texts, encoded.to_pylist(), strict=True):
        known = sum(letter in "ACGTacgt" for letter in text)
        assert row["gc"] == pytest.approx(sum(letter in "GCgc" for letter in text) / max(known, 1), abs=1e-6)
        assert row["soft_masked_share"] == pytest.approx(sum(letter.islower() for letter in text) / len(text), abs=1e-6)
        assert row["unknown_share"] == pytest.approx(row["tokens"].count(UNK) / len(row["tokens"]), abs=1e-6)


def test_row_groups_are_bounded_in_tokens(genome: GenomeFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode_tokens, "ROW_GROUP_TOKENS", 1000)
    tokenizer = Tokenizer(3, 1, "anchor")
    rows = encoded_rows(genome, intervals(genome, 100), tokenizer)
    entry = encode_tokens.write_part(rows.drop_columns(["split"]), tmp_path, "part.parquet", tokenizer)
    file = pq.ParquetFile(tmp_path / "part.parquet")
    groups = [file.read_row_group(number)["token_count"].to_numpy() for number in range(file.num_row_groups)]
    assert all(counts.sum() <= 1000 or len(counts) == 1 for counts in groups)
    assert entry["rows"] == sum(map(len, groups)) == 100
    assert file.schema_arrow.field("tokens").type == pa.list_(pa.uint16())


def test_a_dinucleotide_row_holds_a_seeded_shuffle_of_its_interval(genome: GenomeFiles) -> None:
    source = ["gene", "dinucleotide", "dinucleotide", "shuffle"]
    table = pa.table(
        {
            "interval_id": [0, 1, 2, 3],
            "chromosome": ["chr1"] * 4,
            "start": [300] * 4,
            "end": [420] * 4,
            "strand": ["+", "+", "+", "-"],
            "source": source,
        }
    )
    toy = open_genome("toy", genome.fasta, Silent())
    plain, _ = encode_tokens.strand_bases(toy, table)
    bases = [encode_tokens.dataset_bases(toy, table, seed)[0].reshape(4, -1) for seed in (1, 1, 2)]
    plain = plain.reshape(4, -1)
    assert (bases[0] == bases[1]).all()
    for row in (0, 3):
        assert (bases[0][row] == plain[row]).all()
    for row in (1, 2):
        assert sorted(bases[0][row]) == sorted(plain[row])
        assert (bases[0][row] != bases[2][row]).any()
        assert (bases[0][row] != plain[row]).any()
    assert (bases[0][1] != bases[0][2]).any()


def test_a_part_of_an_edited_genome_is_never_written_and_one_of_the_restored_genome_is(
    genome: GenomeFiles, tmp_path: Path
) -> None:
    fasta = tmp_path / "genome.fa"
    fasta.write_bytes(genome.fasta.read_bytes())
    table = intervals(genome, 50).append_column("task", pa.array(np.zeros(50, np.int64)))
    toy, tokenizer = open_genome("toy", fasta, Silent()), Tokenizer(3, 1, "anchor")

    def write(folder: Path) -> list[bytes]:
        # As a worker receives it: each process opens the genome for itself.
        pickle.loads(pickle.dumps(encode_tokens.WriteParts({"toy": toy}, tokenizer, Staging(folder), 0, 16)))(table)
        return [path.read_bytes() for path in sorted(folder.rglob("*.parquet"))]

    whole = write(tmp_path / "whole")
    fasta.write_bytes(genome.fasta.read_bytes().replace(b"A", b"C"))
    with pytest.raises(InputError, match=r"genome\.fa: changed while it was read: run the same command again"):
        write(tmp_path / "resumed")
    assert not [path for path in (tmp_path / "resumed").rglob("*") if path.is_file()]
    fasta.write_bytes(genome.fasta.read_bytes())
    assert write(tmp_path / "resumed") == whole
