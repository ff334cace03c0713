"""The model card of a model of classes: what the model is and how good it is. Every figure is from `config.json`."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines import class_metrics
from training.bundle import card_text

Config = dict[str, Any]


def class_card(config: Config) -> str:
    """The card in Markdown, from a bundle's `config.json`."""
    names = ", ".join(map(card_text.name, config["classes"]))
    parts = [
        _front_matter(config),
        "# A classifier of DNA sequences by raygene",
        f"Gives the probabilities of {len(config['classes'])} classes of a DNA sequence, from its k-mers: {names}.",
        _use(),
        _data(config),
        _figures(config),
        "## What it is for, and what not\n\n" + "\n".join(f"- {line}" for line in _bounds(config)),
        card_text.making(config),
        card_text.LICENCE,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(config: Config) -> str:
    known = {
        "roc_auc": "validation_auroc",
        "matthews_correlation": "validation_mcc",
        "f1": "validation_macro_f1",
        "accuracy": "validation_accuracy",
    }
    metrics = config["metrics"]
    figures = [{"type": kind, "value": metrics[name]} for kind, name in known.items() if name in metrics]
    return card_text.front_matter(config, "text-classification", [], figures)


def _use() -> str:
    return (
        "## Use\n\n```python\nimport raygene\n\n"
        'bundle = raygene.load("RUN/bundle")  # or s3://…, gs://…, https://…\n```\n\n'
        '`bundle.score(["ACGT"])` gives the probabilities of each sequence of a list, one of each class in the order '
        'of `bundle.config["classes"]`. Or:\n\n```sh\nraygene predict RUN/bundle --sequences FASTA --output FILE.tsv\n'
        "```"
    )


def _data(config: Config) -> str:
    dataset = config["dataset"]
    splits = [
        (name, *(f"{split['classes'][of]:,}" for of in config["classes"]), card_text.sequences(split))
        for name, split in dataset.get("splits", {}).items()
    ]
    header = ("split", *map(card_text.name, config["classes"]), "files")
    parts = [
        "## What it was trained on",
        f"Labelled sequences: {', '.join(map(card_text.name, config['genomes']))}. Longest: "
        f"{dataset['longest']['bases']:,} bases. Dataset `{dataset['fingerprint']}`.",
        *card_text.ancestry(config),
        *card_text.inputs(dataset),
        *([card_text.table(header, splits)] if splits else []),
    ]
    return "\n\n".join(parts)


def _figures(config: Config) -> str:
    metrics, rules = config["metrics"], config.get("shortcuts") or {}
    rows: list[tuple[object, ...]] = [("this model", f"**{metrics['validation_auroc']:.4f}**")]
    rows += [
        (f"rule: {card_text.rule(name)}", f"{value:.4f}")
        for name, value in sorted(rules.items(), key=lambda item: -item[1])
    ]
    shown = {"MCC": "mcc", "macro-F1": "macro_f1", "accuracy": "accuracy", "AUPRC": "auprc"}
    figures = ", ".join(f"{name} {metrics[f'validation_{key}']:.4f}" for name, key in shown.items())
    parts = [
        "## How well it does",
        f"These figures are from validation, by which epoch {metrics['epoch']} was chosen, so that they are a little "
        "too good. `raygene evaluate` measures the model on test; this card holds no such figure.",
        card_text.table(("AUROC on validation", ""), rows),
        f"{figures}. AUROC, AUPRC and F1 are means over classes, each against all others; a sequence is called the "
        "class of its highest probability.",
        "Each rule is fitted on train and uses only the property that it is named for: compare the model with them."
        + (" **The model is not above the best of them.**" if _is_below(metrics, rules) else ""),
    ]
    if "confusion" in config:
        parts += ["Of each class (rows), how many of its sequences are called what (columns):", _confusion(config)]
    return "\n\n".join(parts)


def _is_below(metrics: Config, rules: Config) -> bool:
    return bool(rules) and metrics["validation_auroc"] <= max(rules.values())


def _confusion(config: Config) -> str:
    names = [card_text.name(name) for name in config["classes"]]
    counts = np.array(config["confusion"], np.float64)
    rates = zip(*class_metrics.rates_of_classes(counts), strict=True)
    rows = [
        (name, *(f"{count:,.0f}" for count in row), *(f"{rate:.3f}" for rate in of_class))
        for name, row, of_class in zip(names, counts, rates, strict=True)
    ]
    return card_text.table(("class", *names, "precision", "recall", "F1"), rows)


def _bounds(config: Config) -> list[str]:
    longest = config["dataset"]["longest"]["bases"]
    return [
        f"For sequences like the labelled ones it was trained on, of at most {longest:,} bases: one of another kind "
        "gets the probabilities of these classes too.",
        "Not for `raygene scan` and `raygene annotate`.",
        "Probabilities assume the shares of the classes above.",
    ]
