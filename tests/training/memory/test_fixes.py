from __future__ import annotations

from training import networks
from training.config import ModelConfig, TrainingConfig
from training.memory.fixes import Fix, propose
from training.tasks import Task

TRANSFORMER = ModelConfig(kind="transformer", hidden=320, heads=4, layers=6, embedding=64, stem_stride=1)
LSTM = ModelConfig(hidden=320, layers=6, embedding=64, stem_stride=1)


def size_of(model: ModelConfig, training: TrainingConfig, tokens: int) -> int:
    """A stand-in for the estimate, to which each key contributes."""
    size = tokens * model.hidden * model.layers // (model.stem_stride if model.stem else 1) + 100 * model.embedding
    size = size // 2 if training.precision == "bf16" else size
    size = size if training.optimizer == "sgd" else 2 * size
    return size // 2 if model.window else size


def proposed(model: ModelConfig, share: float, training: TrainingConfig | None = None) -> list[Fix]:
    training = training or TrainingConfig()
    usable = int(share * size_of(model, training, 5_000))
    return propose(model, training, 5_000, usable, size_of, lambda tokens: 3 * tokens + 3)


def keys(fixes: list[Fix]) -> list[str]:
    return [key for fix in fixes for key in fix.settings]


def test_each_key_has_the_mildest_value_that_fits() -> None:
    settings = {key: value for fix in proposed(LSTM, 0.5) for key, value in fix.settings.items()}
    assert settings["training.precision"] == "bf16"
    assert settings["model.stem_stride"] == 3
    assert settings["model.layers"] == 2


def test_fixes_are_ordered_by_harm_and_each_fits() -> None:
    fixes = proposed(TRANSFORMER, 0.5)
    order = ["training.precision", "model.stem_stride", "model.window", "crop.length", "training.optimizer"]
    assert [key for key in keys(fixes) if key in order] == order
    assert all(fix.peak <= 0.5 * size_of(TRANSFORMER, TrainingConfig(), 5_000) for fix in fixes)


def test_only_a_kind_that_reads_a_window_is_offered_one() -> None:
    assert "model.window" in keys(proposed(TRANSFORMER, 0.5))
    assert "model.window" not in keys(proposed(LSTM, 0.5))


def test_a_proposed_hidden_size_is_valid_for_its_kind() -> None:
    for model in (TRANSFORMER, LSTM):
        (hidden,) = [fix.settings["model.hidden"] for fix in proposed(model, 0.6) if "model.hidden" in fix.settings]
        assert ModelConfig(**(model.model_dump() | {"hidden": hidden})).hidden < model.hidden


def test_without_a_stem_no_stride_is_proposed_and_what_is_set_is_not_proposed_again() -> None:
    training = TrainingConfig(precision="bf16", optimizer="sgd")
    fixes = proposed(LSTM.model_copy(update={"stem": 0}), 0.5, training)
    assert not {"model.stem_stride", "training.precision", "training.optimizer"} & set(keys(fixes))


def test_where_no_single_key_is_enough_several_are_combined() -> None:
    (fix,) = proposed(LSTM, 0.0002)
    assert len(fix.settings) > 1
    assert " and " in str(fix)


def test_where_nothing_helps_nothing_is_proposed() -> None:
    assert propose(LSTM, TrainingConfig(), 5_000, 0, size_of, lambda tokens: tokens) == []


def test_fixes_of_structure_are_models_of_structure_and_shorter_windows() -> None:
    model = ModelConfig(hidden=320, layers=6, embedding=64, stem_stride=3, base_channels=64)
    usable = int(0.5 * size_of(model, TrainingConfig(), 9_999))
    fixes = propose(model, TrainingConfig(), 9_999, usable, size_of, lambda tokens: tokens, "structure")
    settings = {key: value for fix in fixes for key, value in fix.settings.items()}
    assert "window.length" in settings
    assert "crop.length" not in settings
    assert (settings["model.stem_stride"], settings["model.stem_width"]) == (12, 12)
    for fix in fixes:
        values = {key.partition(".")[2]: value for key, value in fix.settings.items() if key.startswith("model.")}
        networks.check(Task("structure"), ModelConfig.model_validate(model.model_dump() | values))
