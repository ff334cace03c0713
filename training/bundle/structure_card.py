"""The model card of a structure model: what states it gives, by which rules they were labelled, and how good it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.config.structure import genetic_codes
from training.bundle import card_text

RULES = {
    ("transcript", "canonical"): "One transcript stands for a gene: a canonical one if it is tagged, else that of the "
    "longest coding sequence.",
    ("transcript", "longest"): "The transcript of the longest coding sequence stands for a gene.",
    ("utr", "intergenic"): "Untranslated bases of exons count as intergenic.",
    ("utr", "keep"): "Untranslated bases of exons have a state of their own.",
    ("pseudogenes", "mask"): "Pseudogenes were left out of training.",
    ("pseudogenes", "intergenic"): "Pseudogenes count as intergenic.",
    ("noncoding", "intergenic"): "Genes that code for no protein count as intergenic.",
    ("noncoding", "mask"): "Genes that code for no protein were left out of training.",
}
_NOT_MEASURED = (
    "`raygene annotate --annotation` and `raygene compare` measure it on sequences that it has not seen; this card "
    "holds no such figure."
)
FIGURES = {
    "validation_exon_f1": "coding exons, both ends exact: F1",
    "validation_exon_precision": "coding exons, both ends exact: precision",
    "validation_exon_recall": "coding exons, both ends exact: recall",
    "validation_cds_f1": "coding bases: F1",
    "validation_accuracy": "states of bases: share that is right",
}
Config = dict[str, Any]


LEVELS = {"cds_base": "CDS bases", "cds_exon": "coding exons", "intron": "introns", "cds": "exact CDS"}
"""Levels of a comparison that a card shows."""
LICENCE = (
    "## Licence\n\nThe model comes with raygene, under raygene's licence (Apache-2.0). The data above have licences of "
    "their own."
)


@dataclass(frozen=True)
class Inclusion:
    """What a card says more of a model that comes with raygene.

    Attributes:
        name: that stands for it on a command line.
        experiment: path in raygene's repository of the experiment that it was trained by.
        measured: `on`, the number of `annotated` genes and the `f1` of each level, for each set of sequences that it
            was compared on.
        notes: sentences about what it has seen.
    """

    name: str
    experiment: str
    measured: Sequence[Config]
    notes: Sequence[str] = ()


def structure_card(config: Config, inclusion: Inclusion | None = None) -> str:
    """The card in Markdown, from a bundle's `config.json`.

    Args:
        config: its content.
        inclusion: of a model that comes with raygene.
    """
    parts = [
        _front_matter(config),
        "# A model of gene structure by raygene",
        "Gives every base of both strands of a genome its state (intergenic, coding by position in its codon, intron "
        "by phase) and the chance that a start, a stop, a donor or an acceptor is there. A decoder makes whole gene "
        "models of these, which start, splice and stop by the rules of the genetic code.",
        _loading(inclusion.name if inclusion else "RUN/bundle", len(_genetic_codes(config)) > 1),
        _data(config),
        _figures(config),
        _measured(inclusion) if inclusion else _NOT_MEASURED,
        "## What it is for, and what not\n\n" + "\n".join(f"- {line}" for line in _bounds(config)),
        card_text.making(config),
        *([_experiment(inclusion.experiment)] if inclusion else []),
        LICENCE if inclusion else card_text.LICENCE,
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(config: Config) -> str:
    value = _decoded(config).get("exon_f1", config["metrics"].get("validation_exon_f1"))
    figures = [] if value is None else [{"type": "f1", "name": "F1 of coding exons", "value": value}]
    return card_text.front_matter(config, "token-classification", ["gene-structure"], figures)


def _loading(location: str, has_several_codes: bool) -> str:
    code = " --genetic-code NUMBER" if has_several_codes else ""
    return (
        f"## Use\n\n```sh\nraygene annotate {location} --fasta GENOME --output genes.gff3{code}\n```\n\n"
        f'```python\nimport raygene\n\nbundle = raygene.load("{location}")  # or s3://…, gs://…, https://…\n```\n\n'
        "`bundle.model` maps a batch to logits of states and sites for every base, `bundle.tokenizer` makes its "
        'tokens, and `bundle.config["decoding"]` holds the settings of the decoder.'
    )


def _data(config: Config) -> str:
    dataset = config["dataset"]
    splits = [
        (
            name,
            f"{split['bases']:,}",
            f"{split['genes']:,}",
            f"{split['masked_bases'] / max(2 * split['bases'], 1):.2%}",
            card_text.sequences(split),
        )
        for name, split in dataset.get("splits", {}).items()
    ]
    by = dataset["config"].get("split", {}).get("by")
    rules = [RULES[rule] for rule in config["labels"].items() if rule in RULES]
    rules.append(f"Genetic code: table {', '.join(map(str, _genetic_codes(config)))} of NCBI.")
    return "\n\n".join(
        [
            "## What it was trained on",
            f"Genomes: {', '.join(map(card_text.name, config['genomes']))}, in windows of "
            f"{config['window']['length']:,} bases. Dataset `{dataset['fingerprint']}`.",
            *card_text.ancestry(config),
            *card_text.inputs(dataset),
            *([f"Split by {card_text.name(by)}."] if by else []),
            *([card_text.table(("split", "bases", "genes", "left out", "sequences"), splits)] if splits else []),
            "Labels follow the annotation by these rules. What cannot be labelled is left out: genes whose CDS is no "
            "multiple of three or has a stop inside, incomplete genes, and those that overlap on one strand.",
            "\n".join(f"- {rule}" for rule in rules),
        ]
    )


def _genetic_codes(config: Config) -> list[int]:
    return sorted(set(genetic_codes(config["dataset"]["config"]).values()))


def _figures(config: Config) -> str:
    metrics, decoded = config["metrics"], _decoded(config)
    rows = [(title, f"{metrics[name]:.4f}") for name, title in FIGURES.items() if name in metrics]
    parts = [
        "## How well it does",
        f"These figures are from a part of validation, by which epoch {metrics['epoch']} was chosen, so that they are "
        "a little too good. They were taken after that epoch, with a decoder whose weights were not fitted yet:",
        card_text.table(("on validation", ""), rows),
    ]
    if "exon_f1" in decoded:
        parts.append(
            f"With the fitted decoder, whose weights were chosen on the same {decoded['bases']:,} bases: F1 of coding "
            f"exons **{decoded['exon_f1']:.4f}**"
            + (f", of genes {decoded['gene_f1']:.4f}." if "gene_f1" in decoded else ".")
        )
    return "\n\n".join(parts)


def _measured(inclusion: Inclusion) -> str:
    rows = [
        (card_text.name(one["on"]), f"{one['annotated']:,}", *(f"{one['f1'][level]:.3f}" for level in LEVELS))
        for one in inclusion.measured
    ]
    return "\n\n".join(
        [
            "On sequences that neither training nor the decoder's weights have seen, F1 of `raygene annotate` against "
            "the annotation's genes with a CDS is:",
            card_text.table(("sequences", "genes", *LEVELS.values()), rows),
            *inclusion.notes,
        ]
    )


def _experiment(path: str) -> str:
    return f"The experiment is `{path}` of raygene's repository; the README.md beside it has the commands."


def _bounds(config: Config) -> Iterator[str]:
    genomes = ", ".join(map(card_text.name, config["genomes"]))
    yield f"For annotating genomes like {genomes}. Other organisms were not measured."
    yield "One transcript is given for a gene: alternative splicing is not modelled."
    yield "Genes within introns and overlapping genes of one strand are not given."
    if config["labels"].get("utr") != "keep":
        yield "Untranslated regions are not given: an exon ends where its coding part ends."


def _decoded(config: Config) -> Config:
    decoded = config.get("decoded")
    return decoded if isinstance(decoded, dict) else {}
