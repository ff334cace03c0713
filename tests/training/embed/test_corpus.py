from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.config import TokenizerConfig
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import InputError, UsageError
from pipelines.genome.sequence import OTHER
from pipelines.progress import Silent
from pipelines.tokens.tokenizer import Tokenizer
from pipelines.tokens.vocabulary import SPECIALS
from tests.conftest import GenomeFiles
from tests.hypothesis_profiles import examples
from tests.pipelines.build.gene_genomes import make_gene_genome, structure_config, write_dataset
from training.embed import corpus as corpus_module
from training.embed.config import EmbeddingConfig
from training.embed.corpus import (
    Corpus,
    differing_tokenizer_keys,
    from_dataset,
    from_fasta,
    lay_out,
    reverse_complement_rows,
    shuffle_bases,
    whole_kmers,
)

THREE = TokenizerConfig(k=3, stride=1)


def of_genome(genome: GenomeFiles, *hold_out: str, **keys: object) -> Corpus:
    return from_fasta([genome.fasta], hold_out, THREE, EmbeddingConfig.model_validate(keys), Silent())


@examples(40)
@given(
    rows=st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=30), min_size=1, max_size=5),
    k=st.integers(1, 5),
    stride=st.integers(1, 5),
    tail=st.sampled_from(["anchor", "drop", "partial"]),
)
def test_laid_out_sequences_keep_their_tokens_with_unk_between_them(
    rows: list[list[int]], k: int, stride: int, tail: str
) -> None:
    stride = min(k, stride)
    tokenizer = Tokenizer(k, stride, tail)
    codes, lengths = np.concatenate([np.array(row, np.uint8) for row in rows]), np.array([len(row) for row in rows])
    out = lay_out(codes, lengths, stride, 7)
    tokens = whole_kmers(tokenizer).encode_many(out, np.array([len(out)]))[0]
    expected = [
        whole_kmers(tokenizer).encode_many(np.array(row, np.uint8), np.array([len(row)]))[0].tolist() for row in rows
    ]
    known = [token for row in expected for token in row if token >= len(SPECIALS)]
    assert tokens[tokens >= len(SPECIALS)].tolist() == known
    assert (out[:7] == OTHER).all()
    assert (out[-7:] == OTHER).all()
    if len(rows) == 1:
        assert tokens[-(-7 // stride) : -(-7 // stride) + len(expected[0])].tolist() == expected[0]


def test_the_reverse_complement_of_rows_stays_within_them() -> None:
    codes, lengths = reverse_complement_rows(np.array([0, 0, 1, 4, 2, 3], np.uint8), np.array([2, 4]))
    assert codes.tolist() == [0, 1, 4, 2, 3, 3]
    assert lengths.tolist() == [4, 2]


def test_shuffled_rows_have_their_own_bases_and_unknown_ones_in_place() -> None:
    generator = np.random.default_rng(0)
    lengths = np.array([50, 3, 40])
    codes = generator.integers(0, 5, lengths.sum()).astype(np.uint8)
    for rows in (lengths, np.array([93])):
        shuffled = shuffle_bases(codes, rows, generator)
        assert ((shuffled == OTHER) == (codes == OTHER)).all()
        assert (shuffled != codes).any()
        for row, original in zip(np.split(shuffled, np.cumsum(rows)), np.split(codes, np.cumsum(rows)), strict=True):
            assert sorted(row) == sorted(original)


def test_a_shuffled_corpus_is_the_same_every_time_and_holds_out_the_same(genome: GenomeFiles) -> None:
    corpus = of_genome(genome, "chr4")
    once, again, other = (np.concatenate(list(corpus.shuffled(number).train())).tolist() for number in (0, 0, 1))
    assert once == again
    assert once != other
    assert corpus.shuffled(0).read_held_out is corpus.read_held_out


def test_named_sequences_are_held_out_and_the_others_read_on_both_strands(genome: GenomeFiles) -> None:
    corpus = of_genome(genome, "chr2", "chr4")
    assert sum((codes != OTHER).sum() for codes in corpus.held_out()) == 2 * (12_000 - 30)
    assert sum((codes != OTHER).sum() for codes in corpus.train()) == 4 * (12_000 - 30)
    forward_only = of_genome(genome, "chr2", "chr4", strands="given")
    assert sum((codes != OTHER).sum() for codes in forward_only.train()) == 2 * (12_000 - 30)


def test_without_names_the_end_of_every_sequence_is_held_out(genome: GenomeFiles) -> None:
    corpus = of_genome(genome, held_out=0.25, strands="given")
    assert [(codes != OTHER).sum() for codes in corpus.held_out()] == [3_000] * 4
    learnt = [codes[codes != OTHER] for codes in corpus.train()]
    held_out = [codes[codes != OTHER] for codes in corpus.held_out()]
    for name, first, last in zip(genome.sequences, learnt, held_out, strict=True):
        text = genome.sequences[name].upper().replace("N", "")
        assert "".join("ACGT"[code] for code in [*first, *last]) == text


def test_long_sequences_are_read_in_pieces(genome: GenomeFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [codes[codes != OTHER] for codes in of_genome(genome, "chr4", strands="given").train()]
    monkeypatch.setattr(corpus_module, "PIECE_BASES", 5_000)
    pieces = [codes[codes != OTHER] for codes in of_genome(genome, "chr4", strands="given").train()]
    assert len(pieces) == 9
    assert np.concatenate(pieces).tolist() == np.concatenate(whole).tolist()


def test_a_datasets_rows_are_those_of_its_tokens(dataset: Path) -> None:
    corpus = from_dataset(dataset, "validation", EmbeddingConfig())
    tokens = np.concatenate([corpus.tokens(codes) for codes in corpus.held_out()])
    assert tokens[tokens >= len(SPECIALS)].tolist() == TokenDataset.open(dataset, "validation").tokens.tolist()
    assert not corpus.both_strands
    assert differing_tokenizer_keys({"tokenizer": {"k": 6, "stride": 1, "tail": "anchor"}}, corpus.tokenizer) == [
        "tokenizer.k 3, not 6"
    ]


def test_an_observed_vocabulary_is_observed_in_the_sequence_to_train_on(genome: GenomeFiles) -> None:
    tokens = TokenizerConfig(k=6, stride=1, vocabulary="observed", min_count=20)
    corpus = from_fasta([genome.fasta], ["chr1"], tokens, EmbeddingConfig(), Silent())
    assert 3 < corpus.tokenizer.vocabulary_size < 4**6
    counts = sum(
        np.bincount(corpus.tokens(codes), minlength=corpus.tokenizer.vocabulary_size) for codes in corpus.train()
    )
    assert counts[len(SPECIALS) :].min() >= 20


@pytest.mark.parametrize(
    ("hold_out", "message"),
    [
        (["chrX"], "--hold-out chrX: no sequence of that name"),
        (["chr1", "chr2", "chr3", "chr4"], "every sequence is held out"),
    ],
)
def test_wrong_names_are_refused(genome: GenomeFiles, hold_out: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        of_genome(genome, *hold_out)


def test_a_missing_genome_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.fa: no such file"):
        from_fasta([tmp_path / "none.fa"], [], THREE, EmbeddingConfig(), Silent())


def test_windows_of_a_dataset_are_read_on_both_strands_as_the_bases_of_their_chromosome(tmp_path: Path) -> None:
    genes = make_gene_genome(tmp_path / "genes", bases=3_000)
    folder = write_dataset(structure_config(genes), tmp_path / "data")
    corpus = from_dataset(folder, "validation", EmbeddingConfig())
    codes, lengths = (np.concatenate(parts) for parts in zip(*corpus.read_train(), strict=True))
    assert lengths.tolist() == [500] * 6
    assert "".join("ACGTN"[code] for code in codes) == genes.sequences["chr1"]
    assert corpus.both_strands
