import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.structure import states

STRAND = st.lists(st.integers(0, states.MASKED), min_size=1, max_size=30)


@given(STRAND, st.randoms(use_true_random=False))
def test_two_strands_come_back_out_of_one_byte(forward: list[int], random) -> None:
    reverse = [random.randint(0, states.MASKED) for _ in forward]
    packed = states.pack(np.array(forward, np.uint8), np.array(reverse, np.uint8))
    unpacked = states.unpack(packed)
    assert packed.dtype == np.uint8
    assert [strand.tolist() for strand in unpacked] == [forward, reverse]


@given(STRAND)
def test_the_reverse_complement_reads_the_other_strand_backwards(forward: list[int]) -> None:
    reverse = np.zeros(len(forward), np.uint8)
    turned = states.reverse_complement(states.pack(np.array(forward, np.uint8), reverse))
    assert states.unpack(turned)[0].tolist() == reverse.tolist()
    assert states.unpack(turned)[1].tolist() == forward[::-1]


@pytest.mark.parametrize(("names", "count"), [(states.NAMES[:-1], states.STATES), (states.SITE_NAMES, states.SITES)])
def test_every_state_and_site_has_a_name(names: tuple[str, ...], count: int) -> None:
    assert len(names) == count


def _is_site(site: int, before: int, here: int, after: int) -> bool:
    untranslated = (states.INTERGENIC, states.UTR)
    coding, introns = (states.CDS_0, states.CDS_1, states.CDS_2), (states.INTRON_0, states.INTRON_1, states.INTRON_2)
    if site == states.START:
        return here == states.CDS_0 and before in untranslated
    if site == states.STOP:
        return here == states.CDS_2 and after in untranslated
    if site == states.DONOR:
        return here in introns and before in coding and (coding.index(before) + 1) % 3 == introns.index(here)
    return here in introns and after in coding and coding.index(after) == introns.index(here)


@given(STRAND)
def test_sites_lie_where_states_change_and_are_unknown_beside_masked_bases_and_ends(strand: list[int]) -> None:
    is_site, is_known = states.sites(np.array(strand, np.uint8))
    padded = [states.MASKED, *strand, states.MASKED]
    for at, (before, here, after) in enumerate(zip(padded, padded[1:], padded[2:], strict=False)):
        for site in range(states.SITES):
            neighbour = before if site in (states.START, states.DONOR) else after
            known = states.MASKED not in (here, neighbour)
            assert is_known[at, site] == known
            assert is_site[at, site] == (known and _is_site(site, before, here, after))


def test_a_gene_with_an_intron_has_one_site_of_each_kind() -> None:
    gene = [states.CDS_0, states.CDS_1, states.INTRON_2, states.INTRON_2, states.CDS_2]
    is_site, _ = states.sites(np.array([0, *gene, 0], np.uint8))
    assert [np.flatnonzero(column).tolist() for column in is_site.T] == [[1], [5], [3], [4]]
