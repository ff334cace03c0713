"""The model card: what a bundle is, for whoever finds it later."""

from __future__ import annotations

from typing import Any

_CARD = """\
# A gene recogniser by raygene

Tells genes from non-genic intervals of a genome by their k-mers.

| | |
|---|---|
| architecture | {kind}, embedding {embedding}, hidden {hidden} |
| trained on | {genomes} |
| genes shown as | {shown} |
| tokenizer | {k}-mers, stride {stride}, tail {tail}, {size} tokens |
| decision threshold | {threshold:.4f} (highest MCC on validation) |
| validation | AUROC {auroc:.4f}, MCC {mcc:.4f} (epoch {epoch}) |
| dataset | {dataset} |

Use: `raygene predict BUNDLE --fasta FASTA --intervals BED --output FILE`, or `training.load(BUNDLE)` in Python.

It was trained on intervals as described above, beside negatives of the same length: a probability for intervals of
another kind (whole chromosomes in windows, genes on the other strand, far longer sequences) has not been measured.
Compare it with the trivial rules of `raygene evaluate` before believing it.
"""


def model_card(config: dict[str, Any]) -> str:
    """Markdown from a bundle's `config.json`."""
    model, tokenizer, metrics = config["model"], config["tokenizer"], config["metrics"]
    crop = config["dataset"]["config"]["crop"]
    shown = f"{crop['position']} windows of at most {crop['length']} bases" if crop["length"] else "whole genes"
    return _CARD.format(
        kind=model["kind"],
        embedding=model["embedding"],
        hidden=model["hidden"],
        genomes=", ".join(config["genomes"]),
        shown=shown,
        k=tokenizer["k"],
        stride=tokenizer["stride"],
        tail=tokenizer["tail"],
        size=tokenizer["size"],
        threshold=config["threshold"],
        auroc=metrics["validation_auroc"],
        mcc=metrics["validation_mcc"],
        epoch=metrics["epoch"],
        dataset=config["dataset"]["fingerprint"],
    )
