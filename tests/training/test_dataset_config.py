from __future__ import annotations

from typing import Any

from pipelines.config import DatasetConfig
from training.dataset_config import reconcile

SOURCE = {"genome": "toy", "fasta": "toy.fa", "annotation": "toy.gff3"}


def experiment(**sections: Any) -> dict[str, Any]:
    """A resolved experiment, in which keys that are None are left out."""
    config = DatasetConfig.model_validate({"sources": [SOURCE], **sections})
    return config.model_dump(mode="json", by_alias=True, exclude_none=True) | {"model": {"hidden": 8}}


def built(**sections: Any) -> dict[str, Any]:
    """The configuration in a manifest: every key, no paths, the tokenizer's own parameters."""
    config = DatasetConfig.model_validate({"sources": [SOURCE], **sections}).model_dump(mode="json")
    config["sources"] = [
        {key: value for key, value in source.items() if key not in SOURCE or key == "genome"}
        for source in config["sources"]
    ]
    config["tokenizer"].pop("reuse")
    return config


def test_the_experiment_that_built_the_dataset_differs_in_nothing() -> None:
    assert reconcile(experiment(), built()) == (experiment(), [])
    cropped = {"crop": {"length": 100}, "split": {"test": ["chr1"]}}
    assert reconcile(experiment(**cropped), built(**cropped)) == (experiment(**cropped), [])


def test_each_differing_key_is_listed_with_both_values_and_the_dataset_counts() -> None:
    dataset_values = {"tokenizer": {"k": 3}, "negatives": {"ratio": 2}, "split": {"test": ["chr1", "chr2"]}}
    reconciled, differences = reconcile(experiment(), built(**dataset_values))
    assert differences == ["negatives.ratio 2.0, not 1.0", "tokenizer.k 3, not 6", "split.test chr1 chr2, not 0.1"]
    assert reconciled == experiment(**dataset_values)


def test_a_crop_on_one_side_only_is_a_difference() -> None:
    reconciled, differences = reconcile(experiment(), built(crop={"length": 100}))
    assert (reconciled["crop"]["length"], differences) == (100, ["crop.length 100, not none"])
    reconciled, differences = reconcile(experiment(crop={"length": 100}), built())
    assert ("length" in reconciled["crop"], differences) == (False, ["crop.length none, not 100"])


def test_a_dataset_without_a_key_of_later_versions_was_built_with_its_default() -> None:
    dataset = built(crop={"length": 100})
    del dataset["crop"]["per_gene"]
    reconciled, differences = reconcile(experiment(crop={"length": 100, "per_gene": 4}), dataset)
    assert differences == ["crop.per_gene 1, not 4"]
    assert reconciled["crop"]["per_gene"] == 1


def test_a_tokenizer_reused_by_from_is_not_compared_and_the_datasets_is_written() -> None:
    reconciled, differences = reconcile(experiment(tokenizer={"from": "bundle"}), built(tokenizer={"k": 3}))
    assert differences == []
    assert reconciled["tokenizer"] == built(tokenizer={"k": 3})["tokenizer"]


def test_an_experiment_without_sources_is_not_compared_with_those_of_the_dataset() -> None:
    assert reconcile(experiment() | {"sources": []}, built()) == (experiment() | {"sources": []}, [])
    assert reconcile({"model": {"hidden": 8}}, built()) == ({"model": {"hidden": 8}}, [])


def test_sources_keep_their_paths_and_take_the_datasets_other_values() -> None:
    dataset_sources = [SOURCE | {"feature_types": ["mRNA"]}, SOURCE | {"genome": "other"}]
    reconciled, differences = reconcile(experiment(), built(sources=dataset_sources))
    assert differences == ["sources toy other, not toy", "sources.toy.feature_types mRNA, not gene"]
    toy, other = reconciled["sources"]
    assert toy == experiment(sources=[dataset_sources[0]])["sources"][0]
    assert (other["genome"], other["feature_types"]) == ("other", ["gene"])
    assert not {"fasta", "annotation"} & set(other)


def test_keys_and_sections_that_only_one_side_has_are_not_compared() -> None:
    newer, older = built(), built()
    newer |= {"windows": {"step": 9}, "crop": newer["crop"] | {"shape": "round"}}
    del older["negatives"], older["split"]["seed"]
    assert reconcile(experiment(), newer) == (experiment(), [])
    assert reconcile(experiment(), older) == (experiment(), [])


def test_the_task_is_the_datasets_with_its_sections() -> None:
    structure = {"task": "structure", "tokenizer": {"k": 3, "stride": 1}, "window": {"length": 500}}
    reconciled, differences = reconcile(experiment(tokenizer={"k": 3, "stride": 1}), built(**structure))
    assert differences == ["task structure, not recognise"]
    assert (reconciled["task"], reconciled["window"]) == ("structure", {"length": 500})
    assert not {"negatives", "crop"} & set(reconciled)
    reconciled, differences = reconcile(experiment(**structure), built(tokenizer={"k": 3, "stride": 1}))
    assert differences[0] == "task recognise, not structure"
    assert not {"task", "window", "labels"} & set(reconciled)
    assert reconcile(experiment(**structure), built(**structure)) == (experiment(**structure), [])
