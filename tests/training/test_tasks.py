from __future__ import annotations

import re

import pytest

from pipelines.errors import BundleError, UsageError
from training.config import ModelConfig, TrainingConfig
from training.distributed.run_key import run_key
from training.tasks import CRITERIA, DEFAULTS, Task, criterion_of, require_bundle

STRUCTURE = Task("structure")


def test_what_names_no_task_is_of_recognition() -> None:
    assert Task.of_dataset({}) == Task.of_bundle({"labels": ["negative", "gene"]}) == Task("recognise")


def test_the_labels_say_whether_untranslated_bases_have_a_state() -> None:
    config = {"task": "structure", "labels": {"utr": "keep"}}
    assert Task.of_dataset(config) == Task.of_bundle(config) == Task("structure", utr=True)
    assert not Task.of_dataset({"task": "structure", "labels": {"utr": "intergenic"}}).utr


@pytest.mark.parametrize("key", [key for key in DEFAULTS if key != "reverse_complement"])
def test_keys_of_structure_are_refused_for_recognition(key: str) -> None:
    config = TrainingConfig.model_validate({key: DEFAULTS[key]})
    with pytest.raises(UsageError, match=re.escape(f"training.{key}: the dataset is one of recognition")) as caught:
        Task().training(config)
    assert caught.value.key == f"training.{key}"


def test_recognition_reads_stored_strands_unless_others_are_requested() -> None:
    assert Task().training(TrainingConfig()) == Task().training(TrainingConfig(reverse_complement=False))
    assert Task().training(TrainingConfig(reverse_complement=True)).reverse_complement


def test_keys_of_recognition_are_refused_for_structure() -> None:
    with pytest.raises(UsageError, match="label_smoothing"):
        STRUCTURE.training(TrainingConfig(label_smoothing=0.1))
    with pytest.raises(UsageError, match="both strands at once"):
        STRUCTURE.require_model(ModelConfig(strands="averaged"))


def test_structure_fills_in_the_keys_that_are_left_out() -> None:
    filled = STRUCTURE.training(TrainingConfig(shift=False))
    assert (filled.shift, filled.reverse_complement, filled.validation_bases) == (False, True, 2_000_000)
    assert STRUCTURE.training(filled) is filled


def test_weights_of_the_classes_of_recognition_are_refused_for_structure() -> None:
    with pytest.raises(UsageError, match=r"training\.class_weights balanced"):
        STRUCTURE.training(TrainingConfig(class_weights="balanced"))


def test_recognition_has_no_key_of_structure_in_what_is_hashed_or_published() -> None:
    assert not set(DEFAULTS) & set(Task().training(TrainingConfig()).document())
    assert set(DEFAULTS) <= set(STRUCTURE.training(TrainingConfig()).document())


def test_the_run_key_of_recognition_is_that_of_earlier_versions() -> None:
    # Written down before there was another task.
    key = run_key(ModelConfig(embedding=8, hidden=8, stem=8), TrainingConfig(epochs=3, global_batch_size=16), "x")
    assert key.startswith("b220de8d3d6f")


def test_a_default_and_its_value_are_the_same_run() -> None:
    left_out, written = (STRUCTURE.training(TrainingConfig(shift=shift)) for shift in (None, True))
    assert run_key(ModelConfig(), left_out, "x") == run_key(ModelConfig(), written, "x")


@pytest.mark.parametrize(
    ("task", "model", "key"),
    [
        (STRUCTURE, ModelConfig(pooling="max"), "model.pooling"),
        (Task(), ModelConfig(base_channels=16), "model.base_channels"),
    ],
)
def test_keys_of_the_model_that_a_task_does_not_read_are_refused(task: Task, model: ModelConfig, key: str) -> None:
    with pytest.raises(UsageError, match=f"{key} .*: leave it out") as caught:
        task.require_model(model)
    assert caught.value.key == key
    task.require_model(ModelConfig())


def test_the_stem_of_structure_strides_by_three_codons_where_nothing_else_is_said() -> None:
    assert STRUCTURE.model(ModelConfig()).stem_stride == 9
    assert STRUCTURE.model(ModelConfig(stem_stride=3)).stem_stride == 3
    assert Task().model(ModelConfig()).stem_stride == 2


def test_a_record_tells_its_criterion() -> None:
    assert criterion_of({"validation_auroc": 0.9}) == CRITERIA["recognise"]
    assert criterion_of({"validation_exon_f1": 0.5, "validation_accuracy": 0.9}).title == "exon F1"


def test_the_model_of_another_task_is_refused_with_its_verbs() -> None:
    with pytest.raises(BundleError, match=r"B: this model gives the structure of genes.*raygene annotate"):
        require_bundle({"task": "structure"}, "recognise", "B")
    with pytest.raises(BundleError, match=r"recognises genes.*raygene scan, predict or evaluate"):
        require_bundle({}, "structure", "B")
    require_bundle({}, "recognise", "B")
