from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.config import SplitConfig
from pipelines.errors import UsageError
from pipelines.genome import intervals
from pipelines.splits import assign
from pipelines.splits.blocks import Blocks


def table(layout: dict[tuple[str, str], int], *, spacing: int = 100, length: int = 60) -> pa.Table:
    """`count` genes and as many negatives on each (genome, chromosome)."""
    rows = [
        {
            "genome": genome,
            "chromosome": chromosome,
            "start": number * spacing,
            "end": number * spacing + length,
            "label": number % 2,
        }
        for (genome, chromosome), count in layout.items()
        for number in range(2 * count)
    ]
    return pa.Table.from_pylist(rows)


def by_chromosome(rows: pa.Table, splits: np.ndarray) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, one in zip(rows["chromosome"].to_pylist(), splits, strict=True):
        found.setdefault(name, set()).add(one)
    return found


FIVE = {("a", f"chr{number}"): 20 for number in range(1, 6)} | {("b", f"chr{number}"): 20 for number in range(1, 6)}


def test_same_named_chromosomes_of_all_genomes_stay_together() -> None:
    rows = table(FIVE)
    found = by_chromosome(rows, assign.assign(rows, SplitConfig(validation=0.2, test=0.2)))
    assert all(len(splits) == 1 for splits in found.values())
    assert Counter(next(iter(splits)) for splits in found.values()) == {"train": 3, "validation": 1, "test": 1}


def test_listed_chromosomes_are_held_out_bare_in_every_genome_or_qualified_in_one() -> None:
    rows = table(FIVE)
    splits = assign.assign(rows, SplitConfig(test=["chr1", "b:chr2"], validation=["chr3"]))
    names = list(zip(rows["genome"].to_pylist(), rows["chromosome"].to_pylist(), strict=True))
    for (genome, chromosome), one in zip(names, splits, strict=True):
        expected = "test" if chromosome == "chr1" or (genome, chromosome) == ("b", "chr2") else "train"
        assert one == ("validation" if chromosome == "chr3" else expected)


def test_whole_genomes_stay_together_by_share_or_by_name() -> None:
    rows = table({(name, chromosome): 20 for name in "abcde" for chromosome in ("chr1", "chr2")})
    genomes = np.array(rows["genome"].to_pylist())
    shares = assign.assign(rows, SplitConfig(by="genome", validation=0.2, test=0.2))
    assert Counter(tuple(set(shares[genomes == name])) for name in "abcde") == {
        ("train",): 3, ("validation",): 1, ("test",): 1,
    }  # fmt: skip
    named = assign.assign(rows, SplitConfig(by="genome", validation=["a"], test=["b", "c"]))
    assert [set(named[genomes == name]) for name in "abcde"] == [
        {"validation"},
        {"test"},
        {"test"},
        {"train"},
        {"train"},
    ]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 50), st.floats(0.05, 0.4), st.floats(0.05, 0.4))
def test_random_never_parts_overlaps_and_keeps_the_shares(seed: int, validation: float, test: float) -> None:
    rows = table({("a", "x"): 150, ("b", "x"): 100}, spacing=50, length=80)
    keep = np.random.default_rng(seed).random(len(rows)) < 0.7
    rows = rows.filter(pa.array(keep))
    splits = assign.assign(rows, SplitConfig(by="random", validation=validation, test=test, seed=seed))
    bounds = np.stack([rows["start"].to_numpy(), rows["end"].to_numpy()], axis=1)
    for genome in "ab":
        here = np.array(rows["genome"].to_pylist()) == genome
        cluster = intervals.clusters(bounds[here])
        assert all(len(set(splits[here][cluster == number])) == 1 for number in set(cluster.tolist()))
    assert abs((splits == "test").mean() - test) < 0.1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 50), st.integers(200, 600))
def test_families_never_part_nor_do_overlaps(seed: int, families: int) -> None:
    generator = np.random.default_rng(seed)
    rows = table({("a", "x"): 150, ("b", "x"): 100}, spacing=50, length=60)
    rows = rows.filter(pa.array(generator.random(len(rows)) < 0.4))
    alike = generator.integers(0, families, len(rows))
    splits = assign.assign(rows, SplitConfig(by="family", seed=seed), alike=alike)
    for number in range(families):
        assert len(set(splits[alike == number])) <= 1
    genomes, starts = rows["genome"].to_pylist(), rows["start"].to_numpy()
    beside = [at for at in range(1, len(rows)) if genomes[at] == genomes[at - 1] and starts[at] - starts[at - 1] < 60]
    assert all(splits[at] == splits[at - 1] for at in beside)


def test_one_family_of_everything_leaves_nothing_to_hold_out() -> None:
    rows = table({("a", "x"): 100})
    with pytest.raises(UsageError, match="has no interval"):
        assign.assign(rows, SplitConfig(by="family"), alike=np.zeros(len(rows), np.int64))


def test_a_family_too_large_to_hold_out_is_for_train() -> None:
    rows = table({("a", "x"): 400})
    alike = np.where(np.arange(len(rows)) < 200, 0, np.arange(len(rows)))
    for seed in range(10):
        splits = assign.assign(rows, SplitConfig(by="family", seed=seed), alike=alike)
        assert set(splits[:200]) == {"train"}
        assert abs((splits == "test").mean() - 0.1) < 0.02


def test_given_splits_are_kept() -> None:
    rows = table(FIVE)
    given_splits = ["validation" if number % 5 == 0 else "" for number in range(len(rows))]
    found = assign.assign(rows.append_column("split", pa.array(given_splits)), SplitConfig())
    assert all(one == "validation" for one, told in zip(found, given_splits, strict=True) if told)


def genes_of(rows: pa.Table) -> dict[str, dict[str, np.ndarray]]:
    found: dict[str, dict[str, list[tuple[int, int]]]] = {}
    for row in rows.to_pylist():
        found.setdefault(row["genome"], {}).setdefault(row["chromosome"], []).append((row["start"], row["end"]))
    return {genome: {name: np.array(spots) for name, spots in names.items()} for genome, names in found.items()}


def blocks_of(rows: pa.Table, config: SplitConfig) -> dict[tuple[str, str], Blocks]:
    genes = genes_of(rows)
    lengths = {genome: {name: int(spots.max()) for name, spots in names.items()} for genome, names in genes.items()}
    return assign.in_blocks(genes, lengths, config)


def in_their_blocks(rows: pa.Table, config: SplitConfig) -> pa.Table:
    blocks = blocks_of(rows, config)
    splits = [
        blocks[where].names[blocks[where].numbers(np.array([row["start"]]))[0]] if where in blocks else ""
        for row in rows.to_pylist()
        for where in [(row["genome"], row["chromosome"])]
    ]
    return rows.append_column("split", pa.array(splits))


def test_genomes_of_one_sequence_are_cut_into_blocks_and_reach_every_split() -> None:
    rows = table({("a", "x"): 100, ("b", "y"): 100, **{("c", name): 100 for name in "xyz"}})
    blocks = blocks_of(rows, SplitConfig())
    assert set(blocks) == {("a", "x"), ("b", "y")}
    assert all(set(one.names) == {"train", "validation", "test"} for one in blocks.values())


@pytest.mark.parametrize(
    ("config", "cut"),
    [
        ({"by": "block"}, {("a", "x"), ("b", "x"), ("b", "y"), ("b", "z")}),
        ({"by": "chromosome"}, {("a", "x")}),
        ({"by": "chromosome", "test": ["b:x"]}, {("a", "x")}),
        ({"by": "chromosome", "test": ["x"]}, set()),
        ({"by": "chromosome", "test": ["b:x"], "validation": ["b:y"]}, set()),
        ({"by": "genome"}, set()),
        ({"by": "random"}, set()),
    ],
)
def test_what_is_cut_into_blocks(config: dict[str, object], cut: set[tuple[str, str]]) -> None:
    rows = table({("a", "x"): 100, ("b", "x"): 50, ("b", "y"): 50, ("b", "z"): 50})
    assert set(blocks_of(rows, SplitConfig.model_validate(config))) == cut


def test_genomes_in_blocks_leave_the_shares_of_others_alone() -> None:
    rows = table({("a", "x"): 400, **FIVE})
    config = SplitConfig(validation=0.2, test=0.2)
    splits = assign.assign(in_their_blocks(table({("a", "x"): 400}), config), config)
    assert 0.15 < (splits == "test").mean() < 0.25
    rows = table({("c", "x"): 400, **FIVE})
    rows = rows.append_column(
        "split", pa.array(["train" if name == "c" else "" for name in rows["genome"].to_pylist()])
    )
    others = assign.assign(rows, config)[np.array(rows["genome"].to_pylist()) != "c"]
    assert Counter(others) == {"train": 240, "validation": 80, "test": 80}


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["chromosome", "block", "genome", "random"]),
    st.lists(
        st.tuples(
            st.sampled_from("abc"), st.sampled_from("xyz"), st.integers(0, 3000), st.integers(1, 90), st.integers(0, 1)
        ),
        min_size=30,
        max_size=200,
    ),
    st.floats(0.05, 0.4),
    st.integers(0, 5),
)
def test_no_two_intervals_that_overlap_are_in_different_splits(
    by: str, drawn: list[tuple[str, str, int, int, int]], share: float, seed: int
) -> None:
    rows = pa.Table.from_pylist(
        [
            {"genome": genome, "chromosome": chromosome, "start": start, "end": start + length, "label": label}
            for genome, chromosome, start, length, label in sorted(drawn)
        ]
    )
    config = SplitConfig.model_validate({"by": by, "validation": share, "test": share, "seed": seed})
    try:
        splits = assign.assign(in_their_blocks(rows, config), config)
    except UsageError:
        return
    placed = zip(*(rows[name].to_pylist() for name in ("genome", "chromosome", "start", "end")), splits, strict=True)
    open_end: dict[tuple[str, str], tuple[int, str]] = {}
    for genome, chromosome, start, end, one in placed:
        last, before = open_end.get((genome, chromosome), (0, one))
        assert start >= last or one == before
        open_end[genome, chromosome] = (max(last, end), one) if start < last else (end, one)


def test_the_seed_decides_and_repeats() -> None:
    rows = table(FIVE)
    chosen = [tuple(assign.assign(rows, SplitConfig(validation=0.2, test=0.2, seed=seed))) for seed in (0, 0, 1, 2, 3)]
    assert chosen[0] == chosen[1]
    assert len(set(chosen)) > 1


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"test": ["nope"]}, "split.test: no chromosome 'nope'"),
        ({"test": ["chr1"], "validation": ["chr1"]}, "chr1 is named twice"),
        ({"by": "genome", "test": ["a", "b"], "validation": 0.1}, "split: train has no interval"),
        ({"test": [f"chr{number}" for number in range(1, 6)], "validation": 0.0}, "train has no interval"),
    ],
)
def test_a_split_that_cannot_be_is_an_error(config: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        assign.assign(table(FIVE), SplitConfig.model_validate(config))


def test_a_split_of_one_class_is_an_error() -> None:
    rows = table(FIVE)
    only_genes = (rows["chromosome"].to_numpy(zero_copy_only=False) != "chr1") | (rows["label"].to_numpy() == 1)
    with pytest.raises(UsageError, match="test has only genes"):
        assign.assign(rows.filter(pa.array(only_genes)), SplitConfig(test=["chr1"]))
