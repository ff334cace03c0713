from __future__ import annotations

import pytest

from cluster.presets import network


@pytest.mark.parametrize(("introns", "base_channels"), [(0.05, 32), (1.0, 32), (4.2, 48)])
def test_genes_with_many_introns_get_the_wide_network(introns: float, base_channels: int) -> None:
    chosen = network.choose(introns)
    assert f"base_channels: {base_channels}," in chosen.settings
    assert f"{introns:.1f} coding introns a gene" in chosen.why


def test_small_genomes_are_read_more_often_than_large_ones() -> None:
    small = network.choose(0.0)
    assert [small.epochs(bases) for bases in (100_000, 9_000_000, 22_000_000, 3_000_000_000)] == [40, 20, 8, 6]


def test_minutes_of_the_examples_are_those_measured() -> None:
    assert network.choose(1.0).minutes(9_100_000) == pytest.approx(25, abs=2)
    assert network.choose(4.0).minutes(22_000_000) == pytest.approx(77 * 1.5, abs=5)
