from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from training.config import ModelConfig, TrainingConfig
from training.engine.process.heap import TOP_PAD
from training.memory.formula import Work
from training.memory.plan import (
    AMPLE_GAPS,
    AMPLE_SHARE,
    GAPS,
    PAGES,
    TIGHT,
    WORKER_BYTES,
    DeviceMemory,
    DoesNotFitError,
    MemoryPlan,
    MemoryPlanner,
    step_allowance,
)
from training.memory.probe import Probe, probe
from training.memory.validation import SMALL, decoding_bytes

LENGTHS = np.array([100, 400, 900, 5_000], dtype=np.int64)
SHORT = np.full(1000, 500, dtype=np.int64)
LARGE = {"hidden": 256, "layers": 4}


def planner(
    size: float,
    model: dict[str, Any] | None = None,
    training: dict[str, Any] | None = None,
    kind: Any = "cuda",
    lengths: NDArray[np.int64] = LENGTHS,
    vocabulary_size: int = 4099,
    is_local: bool = False,
    probe: Callable[..., Probe] | None = None,
    shares_memory: bool = True,
) -> MemoryPlanner:
    return MemoryPlanner(
        ModelConfig(**(LARGE if model is None else model)),
        TrainingConfig(**(training or {})),
        lengths,
        vocabulary_size,
        DeviceMemory(
            kind,
            int(size) + (math.ceil(PAGES / 0.9) if kind == "cuda" else 0),
            is_local,
            (training or {}).get("workers", 1),
        ),
        lambda tokens: 3 * tokens + 3,
        probe,
        shares_memory=shares_memory,
    )


def planned(size: float, *arguments: Any, **options: Any) -> MemoryPlan:
    return planner(size, *arguments, **options).plan()


def refused(size: float, **options: Any) -> DoesNotFitError:
    with pytest.raises(DoesNotFitError) as caught:
        planned(size, **options)
    return caught.value


class CountingProbe:
    """A probe that measures a multiple of what the formula estimates, and counts its calls."""

    def __init__(self, peak: int) -> None:
        self.peak, self.calls = peak, 0

    def __call__(self, model: ModelConfig, training: TrainingConfig, vocabulary_size: int, work: Work) -> Probe:
        self.calls += 1
        return Probe(True, self.peak, 0)


def test_with_plenty_of_memory_a_whole_step_is_one_batch() -> None:
    plan = planned(1e12)
    assert plan.token_budget == 64 * 5_000
    assert plan.sequences == 64


def test_workers_share_the_rows_of_a_step() -> None:
    assert planned(1e12, training={"workers": 4}).token_budget == 16 * 5_000


@pytest.mark.parametrize("kind", ["lstm", "gru", "transformer"])
def test_the_budget_fits_and_a_larger_one_does_not(kind: str) -> None:
    model = {**LARGE, "kind": kind}
    plan = planned(1e9, model)
    assert 5_000 <= plan.token_budget < 64 * 5_000
    assert plan.peak <= plan.usable == pytest.approx(0.9 * 1e9, abs=1)
    budget = 2 * plan.token_budget
    error = refused(1e9, model=model, training={"token_budget": budget})
    assert "token_budget" in error.problem
    assert error.fixes == []
    assert error.needed > plan.usable


def test_the_budget_grows_with_the_memory() -> None:
    budgets = [planned(size).token_budget for size in (0.4e9, 0.8e9, 1.6e9, 3.2e9)]
    assert budgets == sorted(set(budgets))


def test_a_requested_budget_that_fits_is_used() -> None:
    assert planned(1e12, training={"token_budget": 7_000}).token_budget == 7_000


def test_what_cannot_fit_is_refused_with_its_size_and_fixes() -> None:
    error = refused(30e6)
    assert "5,000 tokens needs" in error.problem
    assert "MiB" in error.problem
    assert error.fix.startswith("set ")
    assert error.fixes
    assert error.needed > 30e6


@pytest.mark.parametrize("size", [25e6, 60e6, 120e6])
@pytest.mark.parametrize("kind", ["lstm", "transformer"])
def test_each_proposed_fix_makes_it_fit(kind: str, size: float) -> None:
    model = {**LARGE, "kind": kind, "hidden": 320, "layers": 6, "stem_stride": 1}
    for fix in refused(size, model=model).fixes:
        changed, optimisation, lengths = dict(model), {}, LENGTHS
        for key, value in fix.settings.items():
            section, name = key.split(".")
            if section == "crop":
                lengths = np.minimum(LENGTHS, (value - 3) // 3)
            else:
                {"model": changed, "training": optimisation}[section][name] = value
        plan = planned(size, changed, optimisation, lengths=lengths)
        assert plan.peak <= plan.usable


def test_the_least_harmful_fix_comes_first() -> None:
    error = refused(150e6, model={**LARGE, "hidden": 128, "stem_stride": 1})
    names = [next(iter(fix.settings)) for fix in error.fixes]
    assert names.index("training.precision") < names.index("crop.length") < names.index("model.layers")


def test_a_cpu_retains_freed_memory_only_where_that_fits() -> None:
    assert planned(200e9, kind="cpu").retain_memory
    tight = planned(1.5e9, kind="cpu")
    assert not tight.retain_memory
    assert (tight.retained, tight.allowance) == (0, 0)


def test_a_probe_that_measures_more_than_estimated_corrects_the_plan() -> None:
    options: dict[str, Any] = {
        "model": {"embedding": 8, "hidden": 8, "stem": 8},
        "training": {"global_batch_size": 4},
        "kind": "cpu",
        "lengths": np.array([40, 60], dtype=np.int64),
        "vocabulary_size": 67,
        "is_local": True,
    }
    plan = planned(8e9, **options, probe=probe)
    assert plan.probe is not None
    assert plan.probe.fits
    assert plan.correction == max(1.0, plan.probe.peak / plan.alone.peak)


def test_a_correction_by_the_probe_makes_the_budget_smaller() -> None:
    estimated = planned(1e9)
    corrected = planned(1e9, is_local=True, probe=CountingProbe(2 * estimated.alone.peak))
    assert corrected.correction == 2
    assert corrected.token_budget < estimated.token_budget
    assert corrected.peak <= corrected.usable


def test_a_batch_that_the_probe_could_not_run_does_not_fit() -> None:
    def killed(*_: object) -> Probe:
        return Probe(False, 0, 0, "the system killed the probe for lack of memory")

    error = refused(8e9, model={}, kind="cpu", is_local=True, probe=killed)
    assert "killed" in error.problem
    assert all(fix.peak < error.needed for fix in error.fixes)


def test_a_device_in_another_machine_is_never_probed() -> None:
    counting = CountingProbe(1)
    planned(1e12, probe=counting)
    assert counting.calls == 0


def test_the_probe_runs_only_where_memory_is_tight() -> None:
    loose, tight = CountingProbe(1), CountingProbe(1)
    assert not planner(1e12, is_local=True, probe=loose).plan_probing_if_tight().is_tight
    plan = planner(1e9, is_local=True, probe=tight).plan_probing_if_tight()
    assert plan.peak > TIGHT * plan.usable
    assert (loose.calls, tight.calls) == (0, 1)


def test_a_budget_beyond_what_a_step_can_need_does_not_let_validation_take_more() -> None:
    training = {"global_batch_size": 8, "token_budget": 50_000_000}
    plan = planned(1e9, model={}, training=training, kind="cpu", lengths=SHORT, vocabulary_size=67)
    assert plan.token_budget == 8 * 500


def test_prefetched_batches_count_by_the_length_of_their_rows() -> None:
    lengths = np.append(np.full(20_000, 500), 14_731).astype(np.int64)
    training = {"global_batch_size": 4096}
    plan = planned(3 * 2**30, model={}, training=training, kind="cpu", lengths=lengths, vocabulary_size=67)
    assert plan.token_budget >= 14_731


def test_fewer_workers_are_proposed_where_they_share_a_machines_memory() -> None:
    options: dict[str, Any] = {"model": {}, "kind": "cpu", "lengths": SHORT, "vocabulary_size": 67}
    error = refused(440 * 2**20, training={"global_batch_size": 64, "workers": 2}, **options)
    assert "training.workers to 1" in error.fix
    assert error.fixes[0].settings == {"training.workers": 1}
    assert planned(2 * 440 * 2**20, training={"global_batch_size": 64}, **options).token_budget


def test_smaller_steps_are_proposed_where_prefetched_batches_take_the_memory() -> None:
    options: dict[str, Any] = {"model": {}, "kind": "cpu", "vocabulary_size": 67}
    options["lengths"] = np.full(100_000, 4000, dtype=np.int64)
    error = refused(2e9, training={"global_batch_size": 65_536}, **options)
    assert "training.global_batch_size to" in error.fix
    settings = [fix.settings for fix in error.fixes if "training.global_batch_size" in fix.settings]
    assert planned(2e9, training={"global_batch_size": settings[0]["training.global_batch_size"]}, **options)


def structure_planner(size: float, window: int = 9_999, kind: Any = "lstm") -> MemoryPlanner:
    return MemoryPlanner(
        ModelConfig(kind=kind, hidden=64, layers=2, stem=64, stem_width=9, stem_stride=9, base_channels=32),
        TrainingConfig(global_batch_size=2),
        np.full(500, window, dtype=np.int64),
        67,
        DeviceMemory("cpu", int(size), is_local=False, workers=1),
        task="structure",
    )


def test_a_worker_of_structure_takes_a_step_and_all_that_it_holds_besides() -> None:
    plan = structure_planner(24e9).plan()
    assert plan.besides > WORKER_BYTES + decoding_bytes(9_999)
    assert plan.mapped == 3 * 500 * 9_999
    assert plan.worker == plan.peak + plan.copies + plan.retained + plan.besides + plan.mapped


def test_a_window_that_does_not_fit_beside_the_decoder_is_refused_with_a_length_that_does() -> None:
    size = 0.98e9
    with pytest.raises(DoesNotFitError, match=r"set .*window\.length to") as caught:
        structure_planner(size, 99_999).plan()
    (length,) = [fix.settings["window.length"] for fix in caught.value.fixes if "window.length" in fix.settings]
    assert isinstance(length, int)
    assert structure_planner(size, length).plan().token_budget >= length


def test_a_worker_that_shares_memory_retains_two_steps_of_gaps() -> None:
    plan = planned(64 << 30, kind="cpu", lengths=SHORT)
    model, training = ModelConfig(**LARGE), TrainingConfig(token_budget=plan.token_budget)
    assert plan.retained == round(GAPS * plan.step) + TOP_PAD
    assert plan.allowance == plan.step + plan.retained == step_allowance(model, training, SHORT, 4099, "recognise")


@pytest.mark.parametrize(("size", "gaps"), [(12, GAPS), (64, AMPLE_GAPS)])
def test_a_worker_that_shares_no_memory_retains_more_where_that_is_a_small_share_of_it(size: int, gaps: float) -> None:
    plan = planned(size << 30, kind="cpu", lengths=SHORT, shares_memory=False)
    assert plan.retained == round(gaps * plan.step) + TOP_PAD
    assert plan.allowance == plan.step + plan.retained
    is_small = plan.step + AMPLE_GAPS * plan.step + TOP_PAD <= AMPLE_SHARE * plan.usable
    assert is_small == (gaps == AMPLE_GAPS)


@pytest.mark.parametrize(("kind", "steps"), [("lstm", 2), ("cnn", 1.75)])
def test_a_worker_of_structure_grows_by_a_step_and_less_gaps(kind: str, steps: float) -> None:
    plan = structure_planner(24e9, kind=kind).plan()
    assert plan.allowance == pytest.approx(steps * plan.step + SMALL, abs=1)
    assert 0 < plan.retained < plan.allowance - plan.step
