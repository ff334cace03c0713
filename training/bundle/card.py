"""The model card, `README.md` of a bundle: what the model is and how good it is. Every figure is from `config.json`.

It opens with the YAML block that model hubs read, so that a bundle can be uploaded as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipelines.audit.rule_names import KMERS
from pipelines.dataset.manifest import is_of_labelled_sequences
from training.bundle import card_text, class_card, structure_card
from training.tasks import Task

NEGATIVES = {
    "shuffle": "intervals elsewhere, clear of gene-like features",
    "dinucleotide": "the gene itself, shuffled so that it keeps its dinucleotides",
    "antisense": "genes read on their other strand",
    "partial": "intervals over an edge of a gene, 25 to 75 % of them inside",
}
Config = dict[str, Any]


def model_card(config: Config) -> str:
    """The card in Markdown, from a bundle's `config.json`."""
    task = Task.of_bundle(config)
    if task.is_structure:
        return structure_card.structure_card(config)
    if task.has_classes:
        return class_card.class_card(config)
    parts = [
        _front_matter(config),
        "# A gene recogniser by raygene",
        "Gives the probability that an interval of DNA is a gene, as "
        + ("labelled sequences define it, " if _labelled(config) else "its genomes' annotations define it, ")
        + "from its k-mers.",
        _loading(),
        _data(config),
        _figures(config),
        _limits(config),
        card_text.making(config),
        card_text.LICENCE,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(config: Config) -> str:
    metrics = config["metrics"]
    mcc = "threshold_mcc" if "threshold_mcc" in metrics else "validation_mcc"
    known = {"roc_auc": "validation_auroc", "matthews_correlation": mcc}
    figures = [{"type": kind, "value": metrics[name]} for kind, name in known.items() if name in metrics]
    return card_text.front_matter(config, "text-classification", [], figures)


def _loading() -> str:
    return (
        "## Use\n\n```python\nimport raygene\n\n"
        'bundle = raygene.load("RUN/bundle")  # or s3://…, gs://…, https://…\n```\n\n'
        '`bundle.score(["ACGT"])` gives the probability of each sequence of a list. `bundle.model` maps a batch to '
        "logits, `bundle.tokenizer` makes its tokens, and `bundle.config` holds everything that this card says. "
        "For intervals of a genome:\n\n```sh\nraygene predict RUN/bundle --fasta FASTA "
        "--intervals BED --output FILE.tsv\n```"
    )


def _labelled(config: Config) -> bool:
    """Whether the model was trained on labelled sequences, without a genome and its annotation."""
    return is_of_labelled_sequences(config["dataset"])


def _shown(config: Config) -> str:
    if _labelled(config):
        return "as the labelled sequences are"
    crop = config["dataset"]["config"]["crop"]
    if not crop["length"]:
        return "whole genes"
    size = "exactly" if crop.get("exact") else "at most"
    text = f"{crop['position']} windows of {size} {crop['length']:,} bases"
    if (per_gene := crop.get("per_gene", 1)) > 1:
        text += f", up to {per_gene:,} a gene"
    return text + (f", {crop['margin']} bases away from both ends of the gene" if crop.get("margin") else "")


def _data(config: Config) -> str:
    dataset = config["dataset"]
    blocks = dataset.get("split_in_blocks")
    splits = [
        (name, f"{split['genes']:,}", _kinds(split), card_text.sequences(split))
        for name, split in dataset.get("splits", {}).items()
    ]
    by = dataset["config"].get("split", {}).get("by")
    how = f"Split by {card_text.name(by)}" if by else ""
    if blocks:
        named = ", ".join(map(card_text.name, blocks))
        how += f"; {named} in contiguous blocks, so that a sequence may be in several splits"
    negatives = dataset["config"].get("negatives", {}).get("kinds", {})
    kinds = [] if _labelled(config) else [f"- `{kind}` negatives: {NEGATIVES.get(kind, kind)}." for kind in negatives]
    return "\n\n".join(
        [
            "## What it was trained on",
            f"Genomes: {', '.join(map(card_text.name, config['genomes']))}. Genes shown as: {_shown(config)}. "
            f"Longest interval: {dataset['longest']['bases']:,} bases. Dataset `{dataset['fingerprint']}`.",
            *card_text.ancestry(config),
            *card_text.inputs(dataset),
            *([how + "."] if how else []),
            *([card_text.table(("split", "genes", "negatives", "sequences"), splits)] if splits else []),
            *(["\n".join(kinds)] if kinds else []),
        ]
    )


def _kinds(split: Config) -> str:
    rows = ", ".join(
        f"{count:,} {card_text.name(name)}" for name, count in split["rows"].items() if name not in ("gene", "sequence")
    )
    return rows or f"{split['negatives']:,}"


def _figures(config: Config) -> str:
    metrics, shortcuts = config["metrics"], config.get("shortcuts") or {}
    rows: list[tuple[object, ...]] = [("this model", f"**{metrics['validation_auroc']:.4f}**")]
    rows += [
        (f"rule: {card_text.rule(name)}", "none" if value is None else f"{value:.4f}")
        for name, value in sorted(shortcuts.items(), key=lambda item: -(item[1] or 0))
    ]
    at_threshold = _figures_of_calls(metrics)
    leakage = config["dataset"].get("leakage") or {}
    parts = [
        "## How well it does",
        f"These figures are from validation, by which epoch {metrics['epoch']} and the decision threshold "
        f"{config['threshold']:.4f} were chosen, so that they are a little too good. "
        "`raygene evaluate` measures the model on test; this card holds no such figure.",
        card_text.table(("AUROC on validation", ""), rows),
        (f"AUPRC {metrics['validation_auprc']:.4f}. " if "validation_auprc" in metrics else "") + at_threshold,
    ]
    if shortcuts:
        best = max(value or 0 for value in shortcuts.values())
        parts.append(
            "Each rule is fitted on train and uses only the property that it is named for: compare the model with "
            "them."
            + ("" if KMERS in shortcuts else " `raygene evaluate` also fits a regression on 5-mers.")
            + (" **The model is not above the best of them.**" if metrics["validation_auroc"] <= best else "")
        )
    else:
        parts.append("Trivial rules were not scored for comparison.")
    if evaluated := leakage.get("evaluated"):
        parts.append(
            f"{leakage['near_duplicates']:,} of {evaluated:,} intervals of {leakage['split']} have a near-duplicate in "
            f"train (a train interval with at least {leakage['threshold']:.0%} of their {leakage['k']}-mers)."
            + (
                f" {leakage['similar']:,} have a similar one, with as many of their {leakage['k']}-mers as sequences "
                f"share that are {leakage['similar_identity']:.0%} identical."
                if "similar" in leakage
                else ""
            )
        )
    return "\n\n".join(part for part in parts if part)


def _figures_of_calls(metrics: Config) -> str:
    """The figures at the model's threshold; earlier versions of raygene stored those at 0.5 alone."""
    for prefix, place in (("threshold", "the threshold"), ("validation", "0.5, which is not the threshold")):
        names = [name for name in ("mcc", "f1", "precision", "recall", "accuracy") if f"{prefix}_{name}" in metrics]
        if "mcc" in names:
            return f"At {place}: " + ", ".join(f"{name} {metrics[f'{prefix}_{name}']:.4f}" for name in names) + "."
    return ""


def _limits(config: Config) -> str:
    return "## What it is for, and what not\n\n" + "\n".join(f"- {line}" for line in _bounds(config))


def _bounds(config: Config) -> Iterator[str]:
    dataset = config["dataset"]
    longest = dataset["longest"]["bases"]
    if _labelled(config):
        yield f"For sequences like the labelled ones it was trained on, of at most {longest:,} bases."
        yield "Its negatives are those of the collection. How good it is on others was not measured."
    else:
        genomes = ", ".join(map(card_text.name, config["genomes"]))
        yield f"For telling genes from other intervals of {genomes}, each read on its own strand and shown as above."
        kinds = dataset["config"].get("negatives", {}).get("kinds", {})
        absent = [NEGATIVES[kind] for kind in ("antisense", "partial") if kind not in kinds]
        if absent:
            yield (
                f"**Not for scanning a genome**: a scan meets {' and '.join(absent)}, and none were among its "
                "negatives."
            )
        else:
            yield (
                "A scan of a genome meets genes on the other strand and pieces of genes; both were among its "
                "negatives. How precise it is in a scan was not measured here: `raygene scan --annotation` measures "
                "it, on sequences that it was not trained on."
            )
        yield f"No interval longer than {longest:,} bases was seen; longer ones were not measured."
    yield "Other organisms than those named were not measured."
    yield (
        "A probability assumes the shares of genes and negatives above. Where genes are rarer, fewer of the called "
        "intervals are genes."
    )
