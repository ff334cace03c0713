"""Sequence to train on and sequence held out, of a dataset or of whole genomes, laid out so that no window mixes two.

Sequences lie end to end with other letters between them, each starting at a multiple of the stride. So every stride-th
k-mer of the whole is a token of one sequence or `<unk>`, and a window over a border sees only `<unk>` there. A
sequence's last token takes no part if it does not lie on the stride (tail `anchor`, `partial`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines import fingerprint
from pipelines.config import TokenizerConfig
from pipelines.dataset.location import Location
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.display import counted
from pipelines.errors import DatasetError, InputError, UsageError
from pipelines.genome import fasta
from pipelines.genome.fasta import Genome
from pipelines.genome.sequence import OTHER, Bytes, base_codes
from pipelines.progress import Progress
from pipelines.tokens import centred
from pipelines.tokens.tokenizer import Tokenizer
from training import dataset_config
from training.embed.config import EmbeddingConfig

Numbers = NDArray[np.int64]
Rows = tuple[Bytes, Numbers]
# Tokens of a dataset that are read at a time.
TOKENS_AT_ONCE = 1 << 22
# A chromosome is read in pieces, and no window crosses from one into the next: memory is 40 times this.
PIECE_BASES = 1 << 24


@dataclass(frozen=True)
class Corpus:
    """The sequence that vectors are trained on, and the held-out sequence that they are evaluated on.

    Attributes:
        tokenizer: its k-mers get vectors.
        config: the section `embedding`.
        both_strands: whether to train on the other strand as well.
        read_train: yields base codes end to end and lengths of sequences to train on, some sequences at a time.
        read_held_out: the same for the sequence held out.
        content: identifies the sequence; part of the key of an embedding.
        description: what the sequence is, for a reader.
    """

    tokenizer: Tokenizer
    config: EmbeddingConfig
    both_strands: bool
    read_train: Callable[[], Iterator[Rows]]
    read_held_out: Callable[[], Iterator[Rows]]
    content: dict[str, Any]
    description: str

    @property
    def first_distance(self) -> int:
        """Distance in tokens from a token to the nearest that shares no base with it."""
        return -(-self.tokenizer.k // self.tokenizer.stride)

    @property
    def gap(self) -> int:
        """Bases between sequences: more than any window reaches."""
        reach = self.first_distance + max(self.config.window, self.config.head_window)
        return reach * self.tokenizer.stride + self.tokenizer.k

    def train(self) -> Iterator[Bytes]:
        """Base codes of the sequence to train on, laid out, some sequences at a time; both strands if configured."""
        for codes, lengths in self.read_train():
            yield lay_out(codes, lengths, self.tokenizer.stride, self.gap)
            if self.both_strands:
                yield lay_out(*reverse_complement_rows(codes, lengths), self.tokenizer.stride, self.gap)

    def held_out(self) -> Iterator[Bytes]:
        """Base codes of the held-out sequence, laid out, some sequences at a time; on the strand as given."""
        for codes, lengths in self.read_held_out():
            yield lay_out(codes, lengths, self.tokenizer.stride, self.gap)

    def shuffled(self, number: int) -> Corpus:
        """The corpus with the known bases of every sequence to train on in random order.

        The order is the same for the same number and seed.
        """

        def rows() -> Iterator[Rows]:
            generator = np.random.default_rng(fingerprint.seed(self.config.seed, "shuffled", number))
            for codes, lengths in self.read_train():
                yield shuffle_bases(codes, lengths, generator), lengths

        return replace(self, read_train=rows)

    def tokens(self, codes: Bytes) -> NDArray[Any]:
        """Ids of the k-mers at every stride-th base of laid-out codes, shape (bases // stride or one less,)."""
        return whole_kmers(self.tokenizer).encode_many(codes, np.array([len(codes)]))[0]


def whole_kmers(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer without a tail; its ids are those of the same k-mers."""
    if tokenizer.observed_words is None:
        return replace(tokenizer, tail="drop")
    return replace(
        tokenizer, tail="drop", observed_words=tuple(word for word in tokenizer.observed_words if word < 4**tokenizer.k)
    )


def lay_out(codes: Bytes, lengths: Numbers, stride: int, gap: int) -> Bytes:
    """Put at least `gap` other letters before, between and after sequences; each starts at a multiple of the stride.

    Args:
        codes: base codes of all sequences end to end, shape (sum of lengths,).
        lengths: of each sequence, shape (sequences,).
        stride: bases from one token to the next.
        gap: bases.
    """
    gap = -(-gap // stride) * stride
    widths = -(-lengths // stride) * stride + gap
    starts = gap + np.cumsum(widths) - widths
    out = np.full(gap + int(widths.sum()), OTHER, np.uint8)
    if len(lengths) == 1:
        out[gap : gap + len(codes)] = codes
    else:
        out[np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(len(codes))] = codes
    return out


def reverse_complement_rows(codes: Bytes, lengths: Numbers) -> Rows:
    """The reverse complement of every sequence, the last one first; shapes as given."""
    backwards = codes[::-1]
    return np.where(backwards == OTHER, backwards, 3 - backwards).astype(np.uint8), lengths[::-1]


def shuffle_bases(codes: Bytes, lengths: Numbers, generator: np.random.Generator) -> Bytes:
    """Put the known bases of every sequence in random order; other letters stay where they are. Shapes as given."""
    known = np.flatnonzero(codes != OTHER)
    out = codes.copy()
    if len(lengths) == 1:
        out[known] = generator.permutation(codes[known])
    else:
        rows = np.repeat(np.arange(len(lengths)), lengths)[known]
        # A random number below 1 added to the row number: sorting shuffles within rows only.
        out[known] = codes[known[np.argsort(rows + generator.random(len(known)))]]
    return out


def from_dataset(directory: Location, split: str, config: EmbeddingConfig) -> Corpus:
    """The train split of a dataset as the sequence to train on, and another split of it as held-out sequence.

    Args:
        directory: directory or address of the dataset.
        split: validation or test.
        config: the section `embedding`.

    Raises:
        DatasetError: no finished dataset, or an empty split.
    """
    train = TokenDataset.open(directory, "train")
    held_out = TokenDataset.open(directory, split, train.manifest["fingerprint"])
    if not len(train) or not len(held_out):
        raise DatasetError(f"{directory}: split {split} or train is empty", "change the split section and build again")
    # Windows lie on the forward strand, whatever the strand of their genes.
    both_strands = config.strands != "given" if train.states is not None else config.strands == "both"
    return Corpus(
        tokenizer=train.tokenizer,
        config=config,
        both_strands=both_strands,
        read_train=lambda: _rows(train),
        read_held_out=lambda: _rows(held_out),
        content={"dataset": train.manifest["fingerprint"], "split": split},
        description=f"{counted(len(train), 'row')} of train, "
        f"{'on both strands' if both_strands else 'each on its own strand'}; "
        f"scored on {counted(len(held_out), 'row')} of {split}",
    )


def _rows(dataset: TokenDataset) -> Iterator[Rows]:
    """The bases that the tokens of a dataset show, about `TOKENS_AT_ONCE` tokens at a time."""
    bases = dataset.table["end"].to_numpy() - dataset.table["start"].to_numpy()
    first = 0
    while first < len(dataset):
        last = int(np.searchsorted(dataset.offsets, dataset.offsets[first] + TOKENS_AT_ONCE, side="right")) - 1
        last = max(last, first + 1)
        tokens = dataset.tokens[dataset.offsets[first] : dataset.offsets[last]]
        if dataset.states is None:
            yield dataset.tokenizer.decode_bases(tokens, bases[first:last])
        else:
            yield centred.decode(dataset.tokenizer, tokens, bases[first:last]), bases[first:last]
        first = last


def from_fasta(
    paths: Sequence[Path],
    hold_out: Sequence[str],
    tokenizer: TokenizerConfig,
    config: EmbeddingConfig,
    progress: Progress,
) -> Corpus:
    """Whole genomes on both strands (unless `strands` is given).

    Args:
        paths: FASTA files.
        hold_out: names of sequences to hold out; none: the last share `held_out` of every sequence is held out.
        tokenizer: the section `tokenizer`; an observed vocabulary is observed in the sequence to train on.
        config: the section `embedding`.
        progress: shows unpacking.

    Raises:
        InputError: a file is missing or no FASTA.
        UsageError: a name that no file has, or nothing left to train on.
    """
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such file", "correct --fasta")
    genomes = [fasta.open_genome(path.name, path, progress) for path in paths]
    known = [name for genome in genomes for name in genome.lengths]
    if unknown := [name for name in hold_out if name not in known]:
        examples = ", ".join(known[:5]) + (" …" if len(known) > 5 else "")
        raise UsageError(f"--hold-out {unknown[0]}: no sequence of that name", f"the files have {examples}")
    if set(known) <= set(hold_out):
        raise UsageError("--hold-out: every sequence is held out", "leave some to train on")
    share = 0.0 if hold_out else config.held_out
    train = [piece for genome in genomes for piece in _pieces(genome, hold_out, share, held_out=False)]
    held_out = [piece for genome in genomes for piece in _pieces(genome, hold_out, share, held_out=True)]
    both_strands = config.strands != "given"
    held_out_text = f"{', '.join(hold_out)}" if hold_out else f"the last {share:.0%} of every sequence"
    corpus = Corpus(
        tokenizer=Tokenizer.from_config(tokenizer),
        config=config,
        both_strands=both_strands,
        read_train=lambda: _read(train),
        read_held_out=lambda: _read(held_out),
        content={"fasta": [genome.content for genome in genomes], "hold_out": sorted(hold_out), "share": share},
        description=f"{sum(end - start for _, _, start, end in train):,} bases of "
        f"{', '.join(path.name for path in paths)} {'on both strands' if both_strands else 'on the forward strand'}; "
        f"held out: {held_out_text}",
    )
    if tokenizer.vocabulary == "observed" and tokenizer.reuse is None:
        return replace(corpus, tokenizer=_observed(corpus, tokenizer.min_count))
    return corpus


Piece = tuple[Genome, str, int, int]


def _pieces(genome: Genome, hold_out: Sequence[str], share: float, *, held_out: bool) -> list[Piece]:
    """Pieces of a genome that are held out, or those that are not, each of at most `PIECE_BASES`."""
    pieces: list[Piece] = []
    for name, length in genome.lengths.items():
        cut = length - int(length * share) if share else (0 if name in hold_out else length)
        start, end = (cut, length) if held_out else (0, cut)
        pieces += [(genome, name, at, min(at + PIECE_BASES, end)) for at in range(start, end, PIECE_BASES)]
    return pieces


def _read(pieces: Sequence[Piece]) -> Iterator[Rows]:
    for genome, name, start, end in pieces:
        yield base_codes(genome.sequence(name, start, end)), np.array([end - start])


def _observed(corpus: Corpus, min_count: int) -> Tokenizer:
    """The tokenizer with only the k-mers that occur often enough in the sequence to train on."""
    complete = corpus.tokenizer
    counts = np.zeros(complete.vocabulary_size, np.int64)
    for codes, lengths in corpus.read_train():
        counts += complete.count_tokens(codes, lengths)
        if corpus.both_strands:
            counts += complete.count_tokens(*reverse_complement_rows(codes, lengths))
    return complete.restrict_to_observed(counts, min_count)


def differing_tokenizer_keys(resolved: dict[str, Any], tokenizer: Tokenizer) -> list[str]:
    """Keys of an experiment's tokenizer that differ from the tokenizer in use, such as `tokenizer.k 3, not 6`."""
    return dataset_config.reconcile({"tokenizer": resolved["tokenizer"]}, {"tokenizer": tokenizer.parameters})[1]
