from __future__ import annotations

import pytest

from pipelines.errors import ResourceError
from pipelines.ray_map.nodes import Node
from training.distributed.nodes.placement import Placement
from tuning.trial import Trial
from tuning.trials import admission
from tuning.trials.admission import Admission, Shares, Usage

ONE_CPU = Placement(1, use_gpu=False)
FOUR = [Node(1, 0)] * 4
GPUS = [Node(16, 8)]


def trial(number: int = 1, cpus: float = 2, gpus: float = 0) -> Trial:
    return Trial(number, number, f"key-{number}", 0, {}, cpus=cpus, gpus=gpus)


@pytest.mark.parametrize(
    ("nodes", "workers", "most", "expected"),
    [
        (FOUR, 2, None, Shares(ONE_CPU, ONE_CPU)),
        ([Node(8, 0)], 2, None, Shares(ONE_CPU, Placement(4, use_gpu=False))),
        ([Node(8, 0)], 2, 1, Shares(Placement(4, use_gpu=False), Placement(4, use_gpu=False))),
        ([Node(8, 0)], 2, 2, Shares(Placement(2, use_gpu=False), Placement(4, use_gpu=False))),
        (GPUS, 2, None, Shares(Placement(2, use_gpu=True), Placement(8, use_gpu=True))),
        (GPUS, 3, None, Shares(Placement(2, use_gpu=True), Placement(5, use_gpu=True))),
    ],
)
def test_a_cluster_is_divided_among_as_many_trials_as_it_holds(
    nodes: list[Node], workers: int, most: int | None, expected: Shares
) -> None:
    assert admission.share_out(nodes, workers, "auto", most) == expected


def test_a_cluster_that_holds_no_trial_is_refused() -> None:
    with pytest.raises(ResourceError, match="5 need a CPU each"):
        admission.share_out(FOUR, 5, "auto", None)


def test_a_trial_of_much_memory_gets_more_cpus_and_never_more_than_alone() -> None:
    shares = Shares(ONE_CPU, Placement(4, use_gpu=False))
    assert [shares.of_worker(2, cpus).cpus for cpus in (1, 2, 3, 8, 9)] == [1, 1, 2, 4, 4]


@pytest.mark.parametrize(
    ("nodes", "running", "wanted", "occupied", "expected"),
    [
        (FOUR, [ONE_CPU], ONE_CPU, {}, True),
        (FOUR, [ONE_CPU, ONE_CPU], ONE_CPU, {}, False),
        (FOUR[:3], [ONE_CPU], ONE_CPU, {}, False),
        (FOUR[:1], [ONE_CPU], ONE_CPU, {}, False),
        ([*FOUR, *FOUR], [ONE_CPU, ONE_CPU], ONE_CPU, {}, True),
        (FOUR, [ONE_CPU], ONE_CPU, {"CPU": 1.0}, False),
        (FOUR, [ONE_CPU], Placement(2, use_gpu=False), {}, False),
        ([Node(3, 0), Node(3, 0)], [Placement(2, use_gpu=False)], ONE_CPU, {}, True),
        (GPUS, [Placement(2, use_gpu=True)] * 3, Placement(2, use_gpu=True), {}, True),
        (GPUS, [Placement(2, use_gpu=True)] * 4, Placement(2, use_gpu=True), {}, False),
    ],
)
def test_a_trial_fits_where_all_of_its_workers_do(
    nodes: list[Node], running: list[Placement], wanted: Placement, occupied: dict[str, float], expected: bool
) -> None:
    assert admission.fits(nodes, running, wanted, 2, occupied) is expected


class Cluster:
    """A cluster of which nodes are lost and taken by others as a test says."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes, self.used = nodes, 0.0

    def __call__(self) -> Usage:
        return Usage(self.nodes, {"CPU": self.used})


def test_trials_follow_the_size_of_the_cluster() -> None:
    cluster = Cluster(list(FOUR))
    decides = Admission(2, ONE_CPU, None, cluster)
    assert decides.admits([trial(1)], have_all_started=True)
    cluster.nodes = cluster.nodes[:3]
    assert not decides.admits([trial(1)], have_all_started=True)
    cluster.nodes = [Node(1, 0)] * 6
    assert decides.admits([trial(1), trial(2)], have_all_started=True)


def test_the_first_trial_begins_whatever_is_free() -> None:
    cluster = Cluster([Node(1, 0)])
    cluster.used = 1
    assert Admission(2, ONE_CPU, None, cluster).admits([], have_all_started=True)


def test_no_more_begin_than_requested() -> None:
    decides = Admission(2, ONE_CPU, 1, Cluster(FOUR * 2))
    assert not decides.admits([trial(1)], have_all_started=True)


def test_what_others_hold_counts_although_a_trial_has_not_got_its_own_yet() -> None:
    cluster = Cluster(list(FOUR))
    decides = Admission(2, ONE_CPU, None, cluster)
    cluster.used = 2
    assert decides.admits([], have_all_started=True)
    assert not decides.admits([trial(1)], have_all_started=False)
    cluster.used = 4
    assert not decides.admits([trial(1)], have_all_started=True)
    cluster.used = 2
    assert decides.admits([trial(1)], have_all_started=True)


def test_a_proposed_trial_that_needs_more_than_the_usual_waits() -> None:
    decides = Admission(2, ONE_CPU, None, Cluster([Node(2, 0), Node(2, 0)]))
    assert decides.admits([trial(1)], have_all_started=True)
    assert not decides.admits([trial(1)], trial(2, cpus=4), have_all_started=True)
