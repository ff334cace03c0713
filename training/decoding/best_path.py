"""The coding structures on the best path of a sequence, piece by piece."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import TrainingError, UsageError
from training.decoding.called import Structure, Structures
from training.decoding.grammar import Grammar
from training.decoding.scores import Scores
from training.decoding.survivors import (
    AFTER,
    NODES,
    OUTSIDE,
    POSITION,
    STRAND,
    UTR_END,
    grown,
    history,
    settle,
    survivors,
)
from training.decoding.viterbi import advance

# Events of some 100,000 bases: they are sorted out whenever they fill the space.
_CAPACITY = 1 << 16


class BestPath:
    """Extends the best path by pieces of any length; what it calls does not depend on them.

    Args:
        grammar: the automaton.
        is_cut_start: whether a gene may be cut by the first base.
        is_cut_end: whether a gene may be cut by the last base.

    Attributes:
        position: bases so far.
        outside_until: no gene begins before this base, apart from those that are complete.
        score: of the whole path, after `finish`.
    """

    def __init__(self, grammar: Grammar, *, is_cut_start: bool = True, is_cut_end: bool = True) -> None:
        self.position = 0
        self.outside_until = 0
        self.score = 0.0
        self._is_cut_end = grammar.is_partial and is_cut_end
        self._grammar = grammar._replace(is_partial=grammar.is_partial and is_cut_start)
        self._paths = survivors(grammar, _CAPACITY)
        self._structures = Structures(has_utr=grammar.has_utr)

    def push(self, scores: Scores, codes: NDArray[np.uint8]) -> list[Structure]:
        """Extend the path.

        Args:
            scores: of the next bases.
            codes: of the same, as of `pipelines.genome.sequence.base_codes`, shape (bases,).

        Returns:
            Structures that are final.

        Raises:
            UsageError: arrays of unlike lengths or shapes.
            TrainingError: a score that is not a number.
        """
        _check(scores, codes)
        complete: list[Structure] = []
        done = 0
        while done < len(codes):
            done = advance(self._grammar, self._paths, scores.log_states, scores.site_logits, codes, done)
            complete += self._settle()
            if self._paths.counters[NODES] > len(self._paths.parent) // 2:
                self._paths = grown(self._paths, 2 * len(self._paths.parent))
        self.position = int(self._paths.counters[POSITION])
        if np.isnan(self._paths.coding_sums).any() or np.isnan(self._paths.intron_sums).any():
            raise TrainingError("a score of a base is not a number", "train the model again with a lower learning rate")
        return complete

    def finish(self) -> list[Structure]:
        """The structures that are left at the end of the sequence."""
        paths, grammar = self._paths, self._grammar
        best, event, cut, is_in_intron = paths.outer[OUTSIDE], int(paths.outer_event[OUTSIDE]), -1, False
        last = []
        for strand in range(2):
            if paths.outer[AFTER + strand] > best:
                best, event = paths.outer[AFTER + strand], int(paths.outer_event[AFTER + strand])
                last = [(self.position, UTR_END + STRAND * strand)]
        if self._is_cut_end:
            row = (self.position - 1) % len(paths.codes)
            values = paths.exon + paths.coding_sums[row]
            strand, frame = divmod(int(np.argmax(values)), 3)
            if values[strand, frame] > best:
                best, event, last = values[strand, frame], int(paths.exon_event[strand, frame]), []
                cut = (self.position - frame) % 3 if strand == 0 else (self.position - frame + 2) % 3
            is_reverse = (np.arange(len(grammar.level)) >= grammar.first[1]).astype(np.int64)
            values = paths.intron + paths.intron_sums[row, is_reverse, grammar.intron]
            kind, state = np.unravel_index(int(np.argmax(values)), values.shape)
            if values[kind, state] > best:
                best, event, last = values[kind, state], int(paths.intron_event[kind, state]), []
                cut, is_in_intron = int(grammar.level[state]), True
        self.score = float(best)
        complete = self._structures.add([*history(paths, event), *last])
        return complete + self._structures.finish(self.position, cut, is_in_intron=is_in_intron)

    def _settle(self) -> list[Structure]:
        places, tags, settled = settle(self._grammar, self._paths)
        complete = self._structures.add(zip(places.tolist(), tags.tolist(), strict=True))
        if not self._may_have_region():
            complete += self._structures.release()
        opened = self._structures.opened
        self.outside_until = int(settled) if opened is None else opened
        return complete

    def _may_have_region(self) -> bool:
        """Whether any path has an untranslated region right after the last final event, ended or not."""
        paths = self._paths
        outer, events = paths.outer[AFTER:], paths.outer_event[AFTER:]
        if ((outer > -np.inf) & (events == 0)).any():
            return True
        following = paths.tag[1 : paths.counters[NODES]][paths.parent[1 : paths.counters[NODES]] == 0]
        return bool((following % STRAND == UTR_END).any())


def _check(scores: Scores, codes: NDArray[np.uint8]) -> None:
    bases = len(codes)
    expected = ((bases, 2, 8), (bases, 2, 4))
    shapes = (scores.log_states.shape, scores.site_logits.shape)
    if shapes != expected:
        raise UsageError(
            f"scores of shapes {shapes[0]} and {shapes[1]} for {bases} bases", f"give {expected[0]} and {expected[1]}"
        )
