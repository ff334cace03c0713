from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from training.bundle.card import model_card
from training.bundle.description import MAX_NAMES, data, without_machine_figures


def manifest(kinds: tuple[str, ...] = ("shuffle",), chromosomes: int = 3) -> dict[str, Any]:
    """Of a dataset of one genome: a chromosome each for validation and test, all others for train."""
    splits = ["validation", "test", *["train"] * (chromosomes - 2)]
    counts = [
        {"genome": "R64", "chromosome": f"c{number}", "split": split, "label": label, "source": source, "rows": 10}
        for number, split in enumerate(splits)
        for label, source in ((1, "gene"), *((0, kind) for kind in kinds))
    ]
    return {
        "fingerprint": "d" * 64,
        "config": {
            "sources": [{"genome": "R64", "feature_types": ["gene"]}],
            "negatives": {"kinds": dict.fromkeys(kinds, 1.0)},
            "crop": {"length": 512, "exact": False, "position": "random", "margin": 6},
            "split": {"by": "chromosome"},
        },
        "inputs": [{"genome": "R64", "fasta_sha256": "f" * 64, "annotation_sha256": "a" * 64}],
        "counts": counts,
        "longest": {"bases": 512},
        "leakage": {"split": "test", "evaluated": 20, "near_duplicates": 3, "threshold": 0.5, "k": 21},
        "split_in_blocks": [],
        "versions": {"bedtools": "2.30.0"},
    }


def config(described: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "model": {"kind": "lstm", "embedding": 32, "hidden": 16},
        "training": {"epochs": 3, "seed": 0},
        "threshold": 0.4,
        "tokenizer": {"fingerprint": "8" * 64, "k": 3, "stride": 1, "tail": "anchor", "size": 67},
        "dataset": data(described or manifest()),
        "genomes": ["R64"],
        "metrics": {
            "epoch": 2,
            "validation_auroc": 0.9,
            "validation_mcc": 0.6,
            "validation_auprc": 0.8,
            "threshold_mcc": 0.7,
        },
        "shortcuts": {"length": 0.5, "gc": 0.83},
        "parameters": 45_985,
        "versions": {"raygene": "0.1.0"},
        **changes,
    }


def front_matter(card: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(card.split("---\n")[1])
    return values


def test_the_card_opens_with_what_model_hubs_read() -> None:
    card = model_card(config())
    assert card.startswith("---\n")
    values = front_matter(card)
    assert (values["library_name"], values["pipeline_tag"]) == ("raygene", "text-classification")
    assert {"genomics", "lstm"} <= set(values["tags"])
    assert "license" not in values
    (result,) = values["model-index"][0]["results"]
    assert result["dataset"] == {"type": "raygene-dataset", "name": "R64", "split": "validation"}
    metrics = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert metrics == {"roc_auc": 0.9, "matthews_correlation": 0.7}


@pytest.mark.parametrize(
    "text",
    [
        'bundle = raygene.load("RUN/bundle")',
        f"| R64 | fasta | `{'f' * 64}` |",
        f"| R64 | annotation | `{'a' * 64}` |",
        "random windows of at most 512 bases, 6 bases away from both ends of the gene",
        "| validation | 10 | 10 shuffle | R64:c0 |",
        "Split by chromosome.",
        "epoch 2 and the decision threshold 0.4000",
        "| this model | **0.9000** |\n| rule: share of G and C | 0.8300 |\n| rule: length in bases | 0.5000 |",
        "AUPRC 0.8000. At the threshold: mcc 0.7000.",
        "3 of 20 intervals of test have a near-duplicate in train",
        "45,985 parameters",
        "3-mers, stride 1, tail anchor, 67 ids",
        "training: {epochs: 3, seed: 0}",
        "raygene 0.1.0, bedtools (dataset) 2.30.0",
        "Other organisms than those named were not measured.",
    ],
)
def test_the_card_says(text: str) -> None:
    assert text in model_card(config())


def test_the_networks_of_an_ensemble_are_counted() -> None:
    sizes = config()["model"]
    assert "hidden 16, ensemble of 3, 45,985 parameters" in model_card(config(model=sizes | {"ensemble": 3}))
    assert "ensemble" not in model_card(config())


def test_figures_of_earlier_versions_are_said_to_be_at_a_half() -> None:
    card = model_card(config(metrics={"epoch": 2, "validation_auroc": 0.9, "validation_mcc": 0.7}))
    assert "At 0.5, which is not the threshold: mcc 0.7000." in card


def test_the_regression_on_5_mers_is_among_the_rules_where_the_bundle_has_it() -> None:
    assert "also fits a regression on 5-mers" in model_card(config())
    card = model_card(config(shortcuts={"gc": 0.83, "kmers": 0.87}))
    assert "| rule: 5-mer logistic regression | 0.8700 |" in card
    assert "also fits" not in card


def test_a_model_that_lacks_a_kind_of_negatives_is_not_for_scans() -> None:
    assert "**Not for scanning a genome**" in model_card(config(manifest(("shuffle",))))
    card = model_card(config(manifest(("shuffle", "antisense"))))
    assert "a scan meets intervals over an edge of a gene, 25 to 75 % of them inside, and none" in card
    both = model_card(config(manifest(("shuffle", "antisense", "partial"))))
    assert "Not for scanning" not in both
    assert "How precise it is in a scan was not measured here: `raygene scan --annotation` measures it" in both
    assert "10 shuffle, 10 antisense, 10 partial" in both


def test_what_was_not_measured_is_left_out() -> None:
    card = model_card(config(shortcuts=None))
    assert "rule:" not in card
    assert "Trivial rules were not scored" in card
    old = manifest() | {"leakage": None, "counts": None, "inputs": None, "versions": {}}
    card = model_card(config(old, parameters=0))
    assert "near-duplicate" not in card
    assert "SHA-256" not in card


def test_a_model_that_a_rule_equals_says_so() -> None:
    warning = "The model is not above the best of them."
    assert warning not in model_card(config())
    assert warning in model_card(config(shortcuts={"gc": 0.9}))


def test_labelled_sequences_are_not_called_windows_of_genes() -> None:
    described = manifest() | {"inputs": [{"genome": "R64", "train_sha256": "f" * 64}]}
    card = model_card(config(described))
    assert "as the labelled sequences are" in card
    assert "For sequences like the labelled ones it was trained on, of at most 512 bases." in card
    assert "scanning" not in card


def test_many_sequences_are_counted_rather_than_listed() -> None:
    splits = data(manifest(chromosomes=MAX_NAMES + 3))["splits"]
    assert splits["train"]["sequences"] == MAX_NAMES + 1
    assert "names" not in splits["train"]
    assert f"{MAX_NAMES + 1} sequences" in model_card(config(manifest(chromosomes=MAX_NAMES + 3)))
    assert " … (18 in all)" in model_card(config(manifest(chromosomes=20)))


def test_figures_of_the_machine_do_not_last() -> None:
    assert without_machine_figures({"epoch": 1, "loss": 0.5, "seconds": 3.0, "tokens_per_second": 9}) == {
        "epoch": 1,
        "loss": 0.5,
    }


HOSTILE = (
    "a|b",
    "`x`",
    "<script>alert(1)</script>",
    "[x](javascript:alert(1))",
    "*b* __c__ ~~d~~",
    "$x$",
    "\x1b[2J\u202e",
    "&lt;",
    "https://evil.example",
    "www.evil.example",
    "@user",
    "![x](y)",
    "a\\b",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_in_the_card_is_no_markdown(name: str) -> None:
    described = manifest()
    described["config"]["sources"][0]["genome"] = name
    described["inputs"][0]["genome"] = name
    for row in described["counts"]:
        row |= {"genome": name, "chromosome": name}
    card = model_card(config(described, genomes=[name]))
    _, front, body = card.split("---\n", 2) if card.count("---\n") >= 2 else ("", "", card)
    assert isinstance(yaml.safe_load(front), dict)
    prose = re.sub(r"(?ms)^(`{3,})yaml$.*?^\1$", "", body)
    plain = prose.replace("`<unk>`", "")
    for mark in ("<script", "[x](", "*b*", "__c__", "~~", "$", "\x1b", "\u202e", "&lt;", "://", "www.", "@user"):
        assert mark not in plain.replace("s3://…", "").replace("gs://…", "").replace("https://…", "")
    rows = [line for line in plain.splitlines() if line.startswith("| ")]
    assert {line.count("|") for line in rows} <= {3, 4, 5}


def test_a_name_cannot_end_the_block_of_yaml() -> None:
    described = manifest()
    described["config"]["sources"][0]["genome"] = "x\n```\n# Heading\n"
    card = model_card(config(described))
    assert "\n````yaml\n" in card
    assert card.count("\n````\n") == 1


def test_an_ordinary_name_stays_as_it_is() -> None:
    described = manifest()
    for row in described["counts"]:
        row["genome"] = "S_cerevisiae-R64.1"
    assert "S_cerevisiae-R64.1:c0" in model_card(config(described))
