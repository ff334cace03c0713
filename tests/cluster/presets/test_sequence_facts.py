from __future__ import annotations

import numpy as np
import pytest

from cluster.presets import sequence_facts
from cluster.presets.sequence_facts import Rows, SequenceFacts, facts
from pipelines.genome.sequence import reverse_complement

BASES = np.frombuffer(b"ACGT", np.uint8)
MOTIF = np.frombuffer(b"TTTACAAT", np.uint8)


MOTIFS = (MOTIF, np.frombuffer(b"GGCAGCCG", np.uint8))


def rows_of(kind: str, count: int, seed: int, length: int = 60, classes: int = 2) -> Rows:
    """Random sequences, those of label 0 without a motif: always at base 20, anywhere, or anywhere on either strand."""
    generator = np.random.default_rng(seed)
    letters, labels = generator.choice(BASES, (count, length)), np.arange(count) % classes
    for number in np.flatnonzero(labels):
        motif = MOTIFS[labels[number] - 1]
        place = 20 if kind == "aligned" else int(generator.integers(length - len(motif)))
        is_turned = kind == "both strands" and generator.random() < 0.5
        letters[number, place : place + len(motif)] = reverse_complement(motif) if is_turned else motif
    return Rows(letters.ravel(), np.full(count, length), labels)


@pytest.mark.parametrize(
    ("kind", "aligned", "alike", "classes"),
    [
        ("aligned", True, False, 2),
        ("one strand", False, False, 2),
        ("both strands", False, True, 2),
        ("aligned", True, False, 3),
        # A regression on several classes takes ten times as long.
        pytest.param("one strand", False, False, 3, marks=pytest.mark.full),
        ("both strands", False, True, 3),
    ],
)
def test_positions_and_strands_that_matter_are_found(kind: str, aligned: bool, alike: bool, classes: int) -> None:
    found = facts(*(rows_of(kind, count, seed, 60, classes) for count, seed in ((3000, 1), (1000, 2))), classes)
    assert found is not None
    assert (found.aligned, found.strands_alike) == (aligned, alike)


def test_what_could_be_chance_is_not_taken_for_a_finding() -> None:
    found = SequenceFacts(0.7, composition_reversed=0.7, positions=0.7, positions_rotated=0.5, error=0.1)
    assert not found.aligned
    assert not found.strands_alike


def test_long_sequences_are_looked_at_in_fewer_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of("aligned", 40, 0, length=1_000)
    fewer = rows.spread(30)
    expected = facts(fewer, fewer)
    assert facts(rows, rows) != expected
    monkeypatch.setattr(sequence_facts, "MOST_BASES", 30_000)
    assert facts(rows, rows) == expected


def test_a_file_sorted_by_label_is_seen_as_one_that_is_not() -> None:
    rows = rows_of("aligned", 30_000, 3)
    order = np.argsort(rows.labels, kind="stable")
    by_label = Rows(rows.letters.reshape(30_000, -1)[order].ravel(), rows.lengths, rows.labels[order])
    found = facts(by_label, by_label)
    assert found is not None
    assert found.aligned


def test_sequences_of_several_lengths_have_no_positions() -> None:
    short, long = rows_of("aligned", 500, 1), rows_of("aligned", 500, 2, length=70)
    both = Rows(
        *(np.concatenate([getattr(part, name) for part in (short, long)]) for name in ("letters", "lengths", "labels"))
    )
    found = facts(both, both)
    assert found is not None
    assert found.positions == found.positions_rotated


def test_a_split_of_one_label_tells_nothing() -> None:
    rows = rows_of("aligned", 20, 0)
    assert facts(rows, Rows(rows.letters, rows.lengths, np.ones(20, np.int64))) is None
