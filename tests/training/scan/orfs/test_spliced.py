from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.gene_models import genetic_code
from pipelines.gene_models.genetic_code import GeneticCode
from pipelines.genome import sequence
from pipelines.genome.sequence import Bytes
from tests.hypothesis_profiles import examples
from training.scan.orfs import spliced
from training.scan.orfs.splice_sites import SpliceSites

Frame = tuple[int, int, int, int]


def random_sites(generator: np.random.Generator, introns: tuple[int, int], longest: int) -> SpliceSites:
    """Splice sites of chance that a few places in a hundred pass."""
    donor, acceptor = (tuple(map(tuple, generator.normal(size=(places, 4)).tolist())) for places in (9, 14))
    return SpliceSites(donor, acceptor, {"ACGTACG": 2.0, "TTTTTTT": 1.0}, -1.5, 2.0, 3.0, introns, longest, 30)


def slow_frames(read: Bytes, code: GeneticCode, sites: SpliceSites, shortest: int) -> dict[Frame, float]:
    """All frames of two exons, by trying every pair of sites, every cut of a codon and every start."""
    codes, text, numbers = sequence.base_codes(read), read.tobytes().decode(), genetic_code.codon_numbers(read)
    starts, stops = set(np.flatnonzero(code.is_start[numbers])), set(np.flatnonzero(code.is_stop[numbers]))
    of_donors, of_acceptors = sites.donor_scores(codes), sites.acceptor_scores(codes)
    branches = sites.branch_scores(codes, np.arange(len(read)))

    found: dict[Frame, float] = {}
    for donor in np.flatnonzero(of_donors >= sites.lowest_donor).tolist():
        for acceptor in np.flatnonzero(of_acceptors >= sites.lowest_acceptor).tolist():
            if not sites.introns[0] <= acceptor - donor <= sites.introns[1]:
                continue
            for cut in range(3):
                firsts = [
                    start
                    for start in range(max(donor - sites.longest_first, 0), donor - cut - 2)
                    if (donor - start) % 3 == cut
                    and start in starts
                    and not any(at in stops for at in range(start, donor - cut, 3))
                ]
                rest = range(acceptor + -cut % 3, len(text) - 2, 3)
                ends = [at + 3 for at in rest if at in stops]
                if not firsts or not ends:
                    continue
                start, end = firsts[0], ends[0]
                junction = text[donor - cut : donor] + text[acceptor : acceptor + -cut % 3]
                if (cut and code.is_stop[genetic_code.codon_number(junction)]) or "N" * 10 in text[start:end].upper():
                    continue
                if end - acceptor + donor - start >= shortest:
                    score = of_donors[donor] + (of_acceptors[acceptor] + branches[acceptor])
                    found[start, donor, acceptor, end] = score
    return found


@examples(30)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 250),
    st.sampled_from([1, 4, 12]),
    st.sampled_from(["ACGT", "acgtACGTRYN"]),
    st.integers(1, 60),
    st.integers(1, 120),
)
def test_frames_are_the_best_of_those_that_trying_everything_finds(
    seed: int, length: int, number: int, alphabet: str, shortest: int, longest: int
) -> None:
    generator = np.random.default_rng(seed)
    letters = generator.choice(np.frombuffer(alphabet.encode(), np.uint8), length)
    letters[length // 2 : length // 2 + int(generator.integers(0, 14))] = ord("N")
    code, sites = genetic_code.genetic_code(number), random_sites(generator, (20, 150), longest)
    found = spliced.find(letters, code, sites, shortest)
    rows = list(zip(*(column.tolist() for column in list(vars(found).values())[:4]), strict=True))
    slow = slow_frames(letters, code, sites, shortest)
    expected: list[Frame] = []
    for end in sorted({frame[3] for frame in slow}):
        of_end = [frame for frame in slow if frame[3] == end]
        expected += sorted(of_end, key=lambda frame: (-slow[frame], frame[1], frame[2]))[: spliced.KEPT]
    assert rows == expected
    assert np.allclose(found.splice, [slow[frame] for frame in rows])


def test_pairs_are_made_in_parts_that_together_are_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    letters = generator.choice(np.frombuffer(b"ACGT", np.uint8), 1_500)
    code, sites = genetic_code.genetic_code(1), random_sites(generator, (20, 300), 200)
    whole = spliced.find(letters, code, sites, 30)
    monkeypatch.setattr(spliced, "_PAIRS", 7)
    parts = spliced.find(letters, code, sites, 30)
    assert len(whole.starts) > 5
    assert all(
        np.array_equal(one, other) for one, other in zip(vars(whole).values(), vars(parts).values(), strict=True)
    )
