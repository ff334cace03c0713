from __future__ import annotations

import itertools
import time
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import fingerprint, schema
from pipelines.config import SplitConfig
from pipelines.errors import UsageError
from pipelines.genome import intervals
from pipelines.splits import assign, chromosome_runs
from pipelines.splits.blocks import Blocks
from pipelines.splits.named_rows import NamedRows
from tests.hypothesis_profiles import examples


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


def assigned(rows: pa.Table, config: SplitConfig, **groups: Any) -> np.ndarray[Any, Any]:
    """The name of the split of each row of a table, given in one piece and in one of each chromosome."""
    codes = assign.assign([rows], config, **groups)
    firsts = [*chromosome_runs.first_rows(rows).tolist(), len(rows)]
    pieces = [rows.slice(first, last - first) for first, last in itertools.pairwise(firsts)]
    assert assign.assign(pieces, config, **groups).tolist() == codes.tolist()
    return assign.names(codes).to_numpy(zero_copy_only=False)


def by_chromosome(rows: pa.Table, splits: np.ndarray) -> dict[str, set[str]]:
    splits_of: dict[str, set[str]] = {}
    for name, split in zip(rows["chromosome"].to_pylist(), splits, strict=True):
        splits_of.setdefault(name, set()).add(split)
    return splits_of


FIVE = {("a", f"chr{number}"): 20 for number in range(1, 6)} | {("b", f"chr{number}"): 20 for number in range(1, 6)}


def test_same_named_chromosomes_of_all_genomes_stay_together() -> None:
    rows = table(FIVE)
    splits_of = by_chromosome(rows, assigned(rows, SplitConfig(validation=0.2, test=0.2)))
    assert all(len(splits) == 1 for splits in splits_of.values())
    assert Counter(next(iter(splits)) for splits in splits_of.values()) == {"train": 3, "validation": 1, "test": 1}


def test_listed_chromosomes_are_held_out_bare_in_every_genome_or_qualified_in_one() -> None:
    rows = table(FIVE)
    splits = assigned(rows, SplitConfig(test=["chr1", "b:chr2"], validation=["chr3"]))
    names = list(zip(rows["genome"].to_pylist(), rows["chromosome"].to_pylist(), strict=True))
    for (genome, chromosome), split in zip(names, splits, strict=True):
        expected = "test" if chromosome == "chr1" or (genome, chromosome) == ("b", "chr2") else "train"
        assert split == ("validation" if chromosome == "chr3" else expected)


def test_whole_genomes_stay_together_by_share_or_by_name() -> None:
    rows = table({(name, chromosome): 20 for name in "abcde" for chromosome in ("chr1", "chr2")})
    genomes = np.array(rows["genome"].to_pylist())
    shares = assigned(rows, SplitConfig(by="genome", validation=0.2, test=0.2))
    assert Counter(tuple(set(shares[genomes == name])) for name in "abcde") == {
        ("train",): 3, ("validation",): 1, ("test",): 1,
    }  # fmt: skip
    named = assigned(rows, SplitConfig(by="genome", validation=["a"], test=["b", "c"]))
    assert [set(named[genomes == name]) for name in "abcde"] == [
        {"validation"},
        {"test"},
        {"test"},
        {"train"},
        {"train"},
    ]


@examples(30)
@given(st.integers(0, 50), st.floats(0.05, 0.4), st.floats(0.05, 0.4))
def test_random_splits_separate_no_overlapping_intervals_and_have_their_shares(
    seed: int, validation: float, test: float
) -> None:
    rows = table({("a", "x"): 150, ("b", "x"): 100}, spacing=50, length=80)
    rows = rows.filter(pa.array(np.random.default_rng(seed).random(len(rows)) < 0.7))
    splits = assigned(rows, SplitConfig(by="random", validation=validation, test=test, seed=seed))
    bounds = np.stack([rows["start"].to_numpy(), rows["end"].to_numpy()], axis=1)
    for genome in "ab":
        in_genome = np.array(rows["genome"].to_pylist()) == genome
        cluster = intervals.clusters(bounds[in_genome])
        assert all(len(set(splits[in_genome][cluster == number])) == 1 for number in set(cluster.tolist()))
    assert abs((splits == "test").mean() - test) < 0.1


@examples(30)
@given(st.integers(0, 50), st.integers(200, 600))
def test_a_split_separates_neither_families_nor_overlapping_intervals(seed: int, families: int) -> None:
    generator = np.random.default_rng(seed)
    rows = table({("a", "x"): 150, ("b", "x"): 100}, spacing=50, length=60)
    rows = rows.filter(pa.array(generator.random(len(rows)) < 0.4))
    similar = generator.integers(0, families, len(rows))
    splits = assigned(rows, SplitConfig(by="family", seed=seed), similar=similar)
    for number in range(families):
        assert len(set(splits[similar == number])) <= 1
    genomes, starts = rows["genome"].to_pylist(), rows["start"].to_numpy()
    overlapping = [
        row for row in range(1, len(rows)) if genomes[row] == genomes[row - 1] and starts[row] - starts[row - 1] < 60
    ]
    assert all(splits[row] == splits[row - 1] for row in overlapping)


def test_a_family_too_large_to_hold_out_is_in_train() -> None:
    rows = table({("a", "x"): 400})
    similar = np.where(np.arange(len(rows)) < 200, 0, np.arange(len(rows)))
    for seed in range(10):
        splits = assigned(rows, SplitConfig(by="family", seed=seed), similar=similar)
        assert set(splits[:200]) == {"train"}
        assert abs((splits == "test").mean() - 0.1) < 0.02


@pytest.mark.parametrize(("size", "may_be_held_out"), [(20, True), (21, False)])
def test_a_family_is_held_out_up_to_a_quarter_of_the_smallest_split(size: int, may_be_held_out: bool) -> None:
    # 800 intervals, of which 10 % are 80 and a quarter of those 20.
    rows = table({("a", "x"): 400})
    similar = np.where(np.arange(len(rows)) < size, 0, np.arange(len(rows)))
    configs = (SplitConfig(by="family", seed=seed) for seed in range(60))
    seen = {assigned(rows, config, similar=similar)[0] for config in configs}
    assert (seen != {"train"}) is may_be_held_out


def test_intervals_that_have_a_split_keep_it() -> None:
    rows = table(FIVE)
    before = ["validation" if number % 5 == 0 else "" for number in range(len(rows))]
    splits = assigned(rows.append_column("split", pa.array(before)), SplitConfig())
    assert all(split == "validation" for split, earlier in zip(splits, before, strict=True) if earlier)


def genes_of(rows: pa.Table) -> dict[str, dict[str, np.ndarray]]:
    genes: dict[str, dict[str, list[tuple[int, int]]]] = {}
    for row in rows.to_pylist():
        genes.setdefault(row["genome"], {}).setdefault(row["chromosome"], []).append((row["start"], row["end"]))
    return {genome: {name: np.array(bounds) for name, bounds in names.items()} for genome, names in genes.items()}


def blocks_of(rows: pa.Table, config: SplitConfig) -> dict[tuple[str, str], Blocks]:
    genes = genes_of(rows)
    lengths = {genome: {name: int(bounds.max()) for name, bounds in names.items()} for genome, names in genes.items()}
    return assign.cut_into_blocks(genes, lengths, config)


def with_splits_of_blocks(rows: pa.Table, config: SplitConfig) -> pa.Table:
    blocks = blocks_of(rows, config)
    splits = [
        blocks[chromosome].split_names[blocks[chromosome].split_numbers(np.array([row["start"]]))[0]]
        if chromosome in blocks
        else ""
        for row in rows.to_pylist()
        for chromosome in [(row["genome"], row["chromosome"])]
    ]
    return rows.append_column("split", pa.array(splits))


def test_genomes_of_one_sequence_are_cut_into_blocks_and_reach_every_split() -> None:
    rows = table({("a", "x"): 100, ("b", "y"): 100, **{("c", name): 100 for name in "xyz"}})
    blocks = blocks_of(rows, SplitConfig())
    assert set(blocks) == {("a", "x"), ("b", "y")}
    assert all(set(cut.split_names) == {"train", "validation", "test"} for cut in blocks.values())


@pytest.mark.parametrize(("sequences", "is_cut"), [("x", True), ("xy", True), ("xyz", False)])
def test_only_genomes_of_one_or_two_sequences_are_cut_by_themselves(sequences: str, is_cut: bool) -> None:
    blocks = blocks_of(table({("a", name): 100 for name in sequences}), SplitConfig())
    assert set(blocks) == ({("a", name) for name in sequences} if is_cut else set())


def test_a_chromosome_that_leaves_a_split_as_far_from_its_share_is_not_taken() -> None:
    assert assign.names_near_target(["a", "b"], {"a": 20, "b": 5}, 10.0) == ["b"]
    assert assign.names_near_target(["a", "b"], {"a": 19, "b": 5}, 10.0) == ["a"]
    assert assign.names_near_target(["a", "b"], {"a": 90, "b": 80}, 10.0) == ["b"]


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
def test_only_chromosomes_that_need_blocks_are_cut(config: dict[str, object], cut: set[tuple[str, str]]) -> None:
    rows = table({("a", "x"): 100, ("b", "x"): 50, ("b", "y"): 50, ("b", "z"): 50})
    assert set(blocks_of(rows, SplitConfig.model_validate(config))) == cut


def test_genomes_in_blocks_leave_the_shares_of_others_alone() -> None:
    rows = table({("a", "x"): 400, **FIVE})
    config = SplitConfig(validation=0.2, test=0.2)
    splits = assigned(with_splits_of_blocks(table({("a", "x"): 400}), config), config)
    assert 0.15 < (splits == "test").mean() < 0.25
    rows = table({("c", "x"): 400, **FIVE})
    rows = rows.append_column(
        "split", pa.array(["train" if name == "c" else "" for name in rows["genome"].to_pylist()])
    )
    splits = assigned(rows, config)[np.array(rows["genome"].to_pylist()) != "c"]
    assert Counter(splits) == {"train": 240, "validation": 80, "test": 80}


@examples(100)
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
        splits = assigned(with_splits_of_blocks(rows, config), config)
    except UsageError:
        return
    placed = zip(*(rows[name].to_pylist() for name in ("genome", "chromosome", "start", "end")), splits, strict=True)
    cluster: dict[tuple[str, str], tuple[int, str]] = {}
    for genome, chromosome, start, end, split in placed:
        cluster_end, cluster_split = cluster.get((genome, chromosome), (0, split))
        assert start >= cluster_end or split == cluster_split
        cluster[genome, chromosome] = (max(cluster_end, end) if start < cluster_end else end, split)


ROWS = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.sampled_from("wxyz"), st.integers(0, 900), st.integers(1, 90), st.integers(-1, 2)
    ),
    max_size=60,
)


@given(ROWS, st.integers(0, 60))
def test_clusters_are_those_of_each_chromosome_taken_alone(
    drawn: list[tuple[str, str, int, int, int]], border: int
) -> None:
    # A chromosome has labelled sequences or intervals of a genome, and is in one piece.
    drawn.sort(key=lambda row: row[:2])
    rows = pa.table(
        {
            "genome": pa.array([row[0] for row in drawn], pa.string()),
            "chromosome": pa.array([row[1] for row in drawn], pa.string()),
            "start": pa.array([row[2] for row in drawn], pa.int64()),
            "end": pa.array([row[2] + row[3] for row in drawn], pa.int64()),
        }
    )
    firsts = [0, *chromosome_runs.first_rows(rows).tolist()]
    border = max((first for first in firsts if first <= border), default=0)
    groups = np.array([row[4] for row in drawn], np.int64)
    expected, next_number = groups.copy(), int(groups.max(initial=-1)) + 1
    unlabelled = [row for row in range(len(drawn)) if groups[row] < 0]
    for name in dict.fromkeys(drawn[row][:2] for row in unlabelled):
        own = [row for row in unlabelled if drawn[row][:2] == name]
        bounds = chromosome_runs.bounds_of(rows)[own]
        expected[own] = next_number + intervals.clusters(bounds)
        next_number = int(expected[own].max()) + 1
    assert assign._clusters([rows[:border], rows[border:]], groups).tolist() == expected.tolist()


@given(ROWS, st.floats(0.05, 0.4), st.floats(0.0, 0.4), st.integers(0, 5))
def test_names_are_held_out_as_an_obvious_loop_holds_them_out(
    drawn: list[tuple[str, str, int, int, int]], test: float, validation: float, seed: int
) -> None:
    # Runs of some rows each, of which some have a split already.
    names, waiting = [row[1] for row in drawn], [row[4] + 1 for row in drawn]
    shares = {"test": test, "validation": validation}
    expected = [""] * len(names)
    size: Counter[str] = Counter()
    for name, rows in sorted(zip(names, waiting, strict=True)):
        size[name] += rows
    size = +size
    remaining = sorted(sorted(size), key=lambda name: fingerprint.seed(seed, "split", name))
    for split, share in shares.items():
        if share and remaining:
            held_out = assign.names_near_target(remaining, size, share * 100)
            for row, name in enumerate(names):
                expected[row] = split if name in held_out else expected[row]
            remaining = [name for name in remaining if name not in held_out]
    named = NamedRows(pa.chunked_array([names], pa.string()))
    codes = assign._held_out_by_name(named, np.array(waiting, np.int64), 100, shares, seed)
    assert [schema.SPLITS[code] if code >= 0 else "" for code in codes] == expected


@pytest.mark.parametrize(
    "config",
    [
        {"by": "chromosome"},
        {"by": "random"},
        {"test": [f"chr{number}" for number in range(0, 50_000, 5)], "validation": ["a:chr1"]},
    ],
)
def test_a_hundred_thousand_rows_on_half_as_many_contigs_take_seconds(config: dict[str, object]) -> None:
    contigs = 50_000
    names = np.repeat([f"chr{number}" for number in range(contigs)], 2)
    rows = pa.table(
        {
            "genome": ["a"] * len(names),
            "chromosome": names,
            "start": np.tile([0, 200], contigs),
            "end": np.tile([150, 350], contigs),
            "label": pa.array(np.tile([1, 0], contigs), pa.int8()),
        }
    )
    began = time.process_time()
    splits = assign.assign([rows], SplitConfig.model_validate(config))
    # It takes less than a second; a pass over all rows for each contig takes minutes.
    assert time.process_time() - began < 20
    assert 0 < (splits == schema.SPLITS.index("test")).sum() < len(rows) / 2


def test_the_same_seed_gives_the_same_split_and_others_differ() -> None:
    rows = table(FIVE)
    splits = [tuple(assigned(rows, SplitConfig(validation=0.2, test=0.2, seed=seed))) for seed in (0, 0, 1, 2, 3)]
    assert splits[0] == splits[1]
    assert len(set(splits)) > 1


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"test": ["nope"]}, "split.test: no chromosome 'nope'"),
        ({"test": ["chr1"], "validation": ["chr1"]}, "chr1 is listed twice"),
    ],
)
def test_a_split_that_is_impossible_is_an_error(config: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        assigned(table(FIVE), SplitConfig.model_validate(config))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"test": ["chr9"]}, "split.test: no chromosome 'chr9' with intervals: choose among chr1, chr2"),
        ({"validation": ["b:chr2"]}, "split.validation: no chromosome 'b:chr2'"),
        ({"by": "genome", "test": ["chr1"]}, "split.test: no genome 'chr1': choose among a, b"),
    ],
)
def test_a_name_that_no_genome_has_is_an_error_before_any_work(config: dict[str, object], message: str) -> None:
    chromosomes = {"a": ["chr1", "chr2"], "b": ["chr1"]}
    assign.check_names(SplitConfig(test=["a:chr2"], validation=["chr1"]), chromosomes)
    assign.check_names(SplitConfig(by="genome", test=["b"]), chromosomes)
    with pytest.raises(UsageError, match=message) as caught:
        assign.check_names(SplitConfig.model_validate(config), chromosomes)
    assert caught.value.key in ("split.test", "split.validation")


@pytest.mark.parametrize(("start", "is_refused"), [(60, False), (59, True)])
def test_intervals_may_touch_at_the_border_of_two_blocks_and_not_overlap(start: int, is_refused: bool) -> None:
    before = {"genome": "a", "chromosome": "I", "start": 0, "end": 60, "label": 1, "split": "train"}
    rows = pa.Table.from_pylist([before, before | {"start": start, "end": 90, "split": "test"}])
    if is_refused:
        with pytest.raises(AssertionError, match="different splits"):
            assign.assign([rows], SplitConfig(by="block"))
    else:
        assert assign.names(assign.assign([rows], SplitConfig(by="block"))).to_pylist() == ["train", "test"]
