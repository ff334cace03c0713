from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines import ray_map
from pipelines.splits import families, kmer_pairs, leakage, similar
from pipelines.splits.sketch_files import Records
from tests.pipelines.splits import sketched

# Three groups of similar intervals, in all tasks and all ranges.
TEXTS = [sketched.mutated(sketched.random_text(seed % 3, 400), 60 + seed) for seed in range(60)]


def everything(records: Records, sizes: np.ndarray) -> pa.Table:
    return pa.table({"pair": records["pair"], "kmers": records["kmers"]})


def in_turn(tables: list[pa.Table], function: Callable[[pa.Table], pa.Table]) -> Iterator[pa.Table]:
    """Tasks that end in another order than they began."""
    return map(function, reversed(tables))


def small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similar, "SAMPLES_IN_TASK", 1000)
    monkeypatch.setattr(similar, "PAIRS_IN_TASK", 300)
    monkeypatch.setattr(kmer_pairs, "MAX_PAIRS", 1000)


def test_every_pair_is_kept_once_with_all_its_k_mers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = sketched.write(tmp_path / "sketches", TEXTS, tasks=3)
    sizes = files.sizes(len(TEXTS))

    def pairs() -> tuple[int, list[tuple[int, int]]]:
        tables = list(similar.compare(files, tmp_path / "work", sizes, 1, everything, run=in_turn))
        rows = [(row["pair"], row["kmers"]) for table in tables for row in table.to_pylist()]
        assert not (tmp_path / "work").exists()
        return len(tables), sorted(rows)

    _, at_once = pairs()
    sets = [set(sketched.of_texts([text]).hashes.tolist()) for text in TEXTS]
    counts = Counter({(a << 32) + b: len(sets[a] & sets[b]) for b in range(len(TEXTS)) for a in range(b)})
    assert dict(at_once) == dict(+counts)
    small_tasks(monkeypatch)
    calls, in_parts = pairs()
    assert in_parts == at_once
    assert calls > 5


@pytest.mark.full
def test_families_and_leakage_on_a_cluster_are_those_of_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ray_session: Callable[[], object]
) -> None:
    files = sketched.write(tmp_path / "sketches", TEXTS, tasks=3)
    is_test = np.arange(len(TEXTS)) % 7 == 0

    def measure(run: similar.Run) -> tuple[list[int], leakage.Leakage]:
        groups = families.similar_groups(files, tmp_path / "work", len(TEXTS), 1, 0.9, run)
        return groups.tolist(), leakage.measure(files, tmp_path / "work", is_test, ~is_test, 1, run)

    at_once = measure(in_turn)
    assert at_once == ([0, 1, 2] * 20, leakage.Leakage(9, 9, 9))
    small_tasks(monkeypatch)
    with ray_session():
        assert measure(ray_map.map_tables) == at_once


@pytest.mark.parametrize(("size", "share", "kmers"), [(31, 0.109, 4), (10, 0.109, 2), (1, 0.5, 1), (30, 0.5, 15)])
def test_an_interval_is_similar_from_a_share_of_its_k_mers_on_and_from_two(size: int, share: float, kmers: int) -> None:
    required = similar.required(np.array([size], np.int32), share)[0]
    assert kmers - 1 < required <= kmers
