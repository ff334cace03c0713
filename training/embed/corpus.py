"""Sequence to learn from and sequence held out: a dataset's rows or whole genomes, laid out so that windows cross no border.

Sequences lie end to end with other letters between them, each starting at a multiple of the stride. So every stride-th
k-mer of the whole is a token of one sequence or `<unk>`, and what reaches over a border reaches `<unk>` only. A
sequence's last token, where it does not lie on the stride (tail `anchor`, `partial`), takes no part.
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
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import DatasetError, InputError, UsageError
from pipelines.genome import fasta
from pipelines.genome.fasta import Genome
from pipelines.genome.sequence import OTHER, Bytes, base_codes
from pipelines.progress import Progress
from pipelines.tokens.tokenizer import Tokenizer
from training import dataset_config
from training.embed.config import EmbeddingConfig

Numbers = NDArray[np.int64]
Rows = tuple[Bytes, Numbers]
AT_ONCE = 1 << 22
# A chromosome is read in pieces, and no window crosses from one into the next: memory is 40 times this.
LONGEST = 1 << 24


@dataclass(frozen=True)
class Corpus:
    """What vectors are learnt from and judged on.

    Attributes:
        tokenizer: whose k-mers get vectors.
        config: the section `embedding`.
        both: whether the other strand is learnt from as well.
        learnt: gives base codes end to end and lengths of sequences to learn from, some at a time.
        kept_back: the same of sequence held out.
        content: what decides both.
        about: what they are, for a reader.
    """

    tokenizer: Tokenizer
    config: EmbeddingConfig
    both: bool
    learnt: Callable[[], Iterator[Rows]]
    kept_back: Callable[[], Iterator[Rows]]
    content: dict[str, Any]
    about: str

    @property
    def first(self) -> int:
        """Tokens to the first that shares no base with a token."""
        return -(-self.tokenizer.k // self.tokenizer.stride)

    @property
    def gap(self) -> int:
        """Bases between sequences: more than any window reaches."""
        reach = self.first + max(self.config.window, self.config.head_window)
        return reach * self.tokenizer.stride + self.tokenizer.k

    def train(self) -> Iterator[Bytes]:
        """Base codes of sequences to learn from, laid out, some at a time."""
        for codes, lengths in self.learnt():
            yield laid(codes, lengths, self.tokenizer.stride, self.gap)
            if self.both:
                yield laid(*reversed_rows(codes, lengths), self.tokenizer.stride, self.gap)

    def held_out(self) -> Iterator[Bytes]:
        """Base codes of sequence held out, laid out, some at a time; as given, on one strand."""
        for codes, lengths in self.kept_back():
            yield laid(codes, lengths, self.tokenizer.stride, self.gap)

    def shuffled(self, number: int) -> Corpus:
        """The corpus with the known bases of every sequence to learn from in random order; the same for the same number and seed."""

        def rows() -> Iterator[Rows]:
            generator = np.random.default_rng(fingerprint.seed(self.config.seed, "shuffled", number))
            for codes, lengths in self.learnt():
                yield shuffled(codes, lengths, generator), lengths

        return replace(self, learnt=rows)

    def tokens(self, codes: Bytes) -> NDArray[Any]:
        """Ids of the k-mers at every stride-th base of what was laid out, shape (bases // stride or one less,)."""
        return whole_kmers(self.tokenizer).encode_many(codes, np.array([len(codes)]))[0]


def whole_kmers(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer without a tail; its ids are those of the same k-mers."""
    if tokenizer.observed_words is None:
        return replace(tokenizer, tail="drop")
    return replace(
        tokenizer, tail="drop", observed_words=tuple(word for word in tokenizer.observed_words if word < 4**tokenizer.k)
    )


def laid(codes: Bytes, lengths: Numbers, stride: int, gap: int) -> Bytes:
    """Sequences with at least `gap` other letters before, between and after them, each at a multiple of the stride.

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


def reversed_rows(codes: Bytes, lengths: Numbers) -> Rows:
    """The reverse complement of every sequence, last one first; shapes as given."""
    back = codes[::-1]
    return np.where(back == OTHER, back, 3 - back).astype(np.uint8), lengths[::-1]


def shuffled(codes: Bytes, lengths: Numbers, generator: np.random.Generator) -> Bytes:
    """Sequences whose known bases are in random order, and other letters where they are; shapes as given."""
    known = np.flatnonzero(codes != OTHER)
    out = codes.copy()
    if len(lengths) == 1:
        out[known] = generator.permutation(codes[known])
    else:
        rows = np.repeat(np.arange(len(lengths)), lengths)[known]
        out[known] = codes[known[np.argsort(rows + generator.random(len(known)))]]
    return out


def of_dataset(directory: Path, split: str, config: EmbeddingConfig) -> Corpus:
    """The train split of a dataset, and another split of it as held-out sequence.

    Args:
        directory: of the dataset.
        split: validation or test.
        config: the section `embedding`.

    Raises:
        DatasetError: no finished dataset, or an empty split.
    """
    learnt = TokenDataset.open(directory, "train")
    kept_back = TokenDataset.open(directory, split, learnt.manifest["fingerprint"])
    if not len(learnt) or not len(kept_back):
        raise DatasetError(f"{directory}: split {split} or train is empty", "change the split section and build again")
    both = config.strands == "both"
    return Corpus(
        tokenizer=learnt.tokenizer,
        config=config,
        both=both,
        learnt=lambda: _rows(learnt),
        kept_back=lambda: _rows(kept_back),
        content={"dataset": learnt.manifest["fingerprint"], "split": split},
        about=f"{len(learnt):,} rows of train, {'on both strands' if both else 'each on its own strand'}; "
        f"scored on {len(kept_back):,} rows of {split}",
    )


def _rows(dataset: TokenDataset) -> Iterator[Rows]:
    """The bases that the tokens of a dataset show, so many rows at a time."""
    bases = dataset.table["end"].to_numpy() - dataset.table["start"].to_numpy()
    first = 0
    while first < len(dataset):
        last = int(np.searchsorted(dataset.offsets, dataset.offsets[first] + AT_ONCE, side="right")) - 1
        last = max(last, first + 1)
        tokens = dataset.tokens[dataset.offsets[first] : dataset.offsets[last]]
        yield dataset.tokenizer.decode_bases(tokens, bases[first:last])
        first = last


def of_fasta(
    paths: Sequence[Path],
    hold_out: Sequence[str],
    tokenizer: TokenizerConfig,
    config: EmbeddingConfig,
    progress: Progress,
) -> Corpus:
    """Whole genomes on both strands (unless `strands` is given).

    Args:
        paths: FASTA files.
        hold_out: names of sequences held out; none: the last `held_out` of every sequence is.
        tokenizer: the section `tokenizer`; an observed vocabulary is observed in what is learnt from.
        config: the section `embedding`.
        progress: told of unpacking.

    Raises:
        InputError: a file is missing or no FASTA.
        UsageError: a name that no file has, or nothing left to learn from.
    """
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such file", "correct --fasta")
    genomes = [fasta.open_genome(path.name, path, progress) for path in paths]
    known = [name for genome in genomes for name in genome.lengths]
    if unknown := [name for name in hold_out if name not in known]:
        some = ", ".join(known[:5]) + (" …" if len(known) > 5 else "")
        raise UsageError(f"--hold-out {unknown[0]}: no sequence of that name", f"the files have {some}")
    if set(known) <= set(hold_out):
        raise UsageError("--hold-out: every sequence is held out", "leave some to learn from")
    share = 0.0 if hold_out else config.held_out
    learnt = [piece for genome in genomes for piece in _pieces(genome, hold_out, share, held=False)]
    kept_back = [piece for genome in genomes for piece in _pieces(genome, hold_out, share, held=True)]
    both = config.strands != "given"
    held = f"{', '.join(hold_out)}" if hold_out else f"the last {share:.0%} of every sequence"
    corpus = Corpus(
        tokenizer=Tokenizer.from_config(tokenizer),
        config=config,
        both=both,
        learnt=lambda: _read(learnt),
        kept_back=lambda: _read(kept_back),
        content={"fasta": [genome.content for genome in genomes], "hold_out": sorted(hold_out), "share": share},
        about=f"{sum(end - start for _, _, start, end in learnt):,} bases of {', '.join(path.name for path in paths)} "
        f"{'on both strands' if both else 'on the forward strand'}; held out: {held}",
    )
    if tokenizer.vocabulary == "observed" and tokenizer.reuse is None:
        return replace(corpus, tokenizer=_observed(corpus, tokenizer.min_count))
    return corpus


Piece = tuple[Genome, str, int, int]


def _pieces(genome: Genome, hold_out: Sequence[str], share: float, *, held: bool) -> list[Piece]:
    """Stretches of a genome that are held out, or those that are not, none longer than is worked on at a time."""
    found = []
    for name, length in genome.lengths.items():
        cut = length - int(length * share) if share else (0 if name in hold_out else length)
        start, end = (cut, length) if held else (0, cut)
        found += [(genome, name, at, min(at + LONGEST, end)) for at in range(start, end, LONGEST)]
    return found


def _read(pieces: Sequence[Piece]) -> Iterator[Rows]:
    for genome, name, start, end in pieces:
        yield base_codes(genome.sequence(name, start, end)), np.array([end - start])


def _observed(corpus: Corpus, min_count: int) -> Tokenizer:
    """The vocabulary of the k-mers seen often enough in what is learnt from."""
    complete = corpus.tokenizer
    counts = np.zeros(complete.vocabulary_size, np.int64)
    for codes, lengths in corpus.learnt():
        counts += complete.count_tokens(codes, lengths)
        if corpus.both:
            counts += complete.count_tokens(*reversed_rows(codes, lengths))
    return complete.restrict_to_observed(counts, min_count)


def differing(resolved: dict[str, Any], tokenizer: Tokenizer) -> list[str]:
    """The keys of an experiment's tokenizer that say something else than the one in use, as `tokenizer.k 3, not 6`."""
    return dataset_config.reconcile({"tokenizer": resolved["tokenizer"]}, {"tokenizer": tokenizer.parameters})[1]
