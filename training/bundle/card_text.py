"""The parts of model cards that all tasks share: Markdown, and how a model was made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pipelines.audit.rule_names import DESCRIPTIONS, UNKNOWN
from pipelines.display import shown
from pipelines.documents import yaml_writer

MAX_SHOWN_NAMES = 12
# Characters that Markdown, its tables, formulas or HTML take for something else within a line.
_MARKS = re.compile(r"[\\`*<>&\[\]|~$]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.|@|!(?=\[)|#")
LICENCE = (
    "## Licence\n\nNone is stated here. Whoever publishes this model chooses one, with regard to the licences of the "
    "data above, and adds `license: …` to the first lines of this file."
)
_RULES = DESCRIPTIONS | {UNKNOWN: "share of `<unk>` tokens"}
_SECTIONS = ("task", "classes", "sources", "labels", "window", "negatives", "crop", "tokenizer", "split")
Config = dict[str, Any]


def table(header: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    """A table; names in its cells are escaped by the caller."""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def name(text: object) -> str:
    """A name as Markdown that shows it as it is: no link, no HTML, no formula, and no end of a cell."""
    return _MARKS.sub(lambda mark: f"&#{ord(mark.group())};", shown(str(text)))


def rule(name_of_rule: str) -> str:
    """What a trivial rule looks at, as Markdown; of an unknown one, its name."""
    return _RULES.get(name_of_rule) or name(name_of_rule)


def fenced(language: str, text: str) -> str:
    """A block of code, whose fence is longer than any within it."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def front_matter(config: Config, task: str, tags: Sequence[str], figures: Sequence[Config]) -> str:
    """The YAML block that model hubs read.

    Args:
        config: the bundle's `config.json`.
        task: as hubs call it.
        tags: besides those of every model.
        figures: `type`, `value` and what else hubs know of figures of validation; there may be none.
    """
    kind = config["model"]["kind"]
    values: Config = {"library_name": "raygene", "pipeline_tag": task}
    values["tags"] = ["biology", "genomics", "dna", "gene-finding", *tags, "k-mer", kind]
    if figures:
        data = {"type": "raygene-dataset", "name": ", ".join(config["genomes"]), "split": "validation"}
        result = {"task": {"type": task}, "dataset": data, "metrics": list(figures)}
        values["model-index"] = [{"name": f"raygene {kind}", "results": [result]}]
    return f"---\n{yaml_writer.dump(values)}---"


def inputs(dataset: Config) -> list[str]:
    """The table of the files that a dataset was built from; none if the bundle does not say."""
    rows = [
        (name(source["genome"]), name(key.removesuffix("_sha256")), f"`{sha256}`")
        for source in dataset.get("inputs", [])
        for key, sha256 in source.items()
        if key != "genome"
    ]
    return [table(("source", "file", "SHA-256"), rows)] if rows else []


def ancestry(config: Config) -> list[str]:
    """The models that a model's weights come from, the nearest first; nothing for a model trained from the start."""
    listed = config.get("ancestors")
    ancestors = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if not ancestors:
        return []
    rows = [
        (
            ", ".join(map(name, one.get("genomes", []))),
            f"`{name(one.get('bundle', '?'))}`",
            f"`{name(one.get('dataset', '?'))}`",
        )
        for one in ancestors
    ]
    head = "made anew" if config["training"].get("head") == "new" else "kept"
    return [
        "Training did not begin with drawn weights, but with those of another model, the first below; its head was "
        f"{head}. What a model in this table was trained on counts as seen by this one too.",
        table(("trained on", "bundle", "dataset"), rows),
    ]


def sequences(split: Config) -> str:
    """The names of a split's sequences, or how many there are."""
    listed = split.get("names", [])
    if not listed:
        return f"{split['sequences']:,} sequences"
    return ", ".join(map(name, listed[:MAX_SHOWN_NAMES])) + (
        f" … ({len(listed)} in all)" if len(listed) > MAX_SHOWN_NAMES else ""
    )


def network(model: Config) -> str:
    """A model's kind and sizes in words."""
    members = f", ensemble of {model['ensemble']}" if model.get("ensemble", 1) > 1 else ""
    return f"{model['kind']}, embedding {model['embedding']}, hidden {model['hidden']}{members}"


def making(config: Config) -> str:
    """How the model was made: its sizes, the tokens, and the sections of the experiment."""
    model, tokenizer, versions = config["model"], config["tokenizer"], config["versions"]
    sections = {section: config["dataset"]["config"].get(section) for section in _SECTIONS}
    sections |= {"model": model, "training": config["training"]}
    text = "\n".join(f"{section}: {_flow(values)}" for section, values in sections.items() if values)
    size = f", {config['parameters']:,} parameters" if "parameters" in config else ""
    data = {f"{program} (dataset)": version for program, version in config["dataset"].get("versions", {}).items()}
    software = ", ".join(f"{program} {version}" for program, version in (versions | data).items())
    run = f" Run `{config['run']}`." if "run" in config else ""
    return (
        f"## How it was made\n\n{network(model)}{size}. "
        f"Tokens: {tokenizer['k']}-mers, stride {tokenizer['stride']}, tail {tokenizer['tail']}, {tokenizer['size']:,} "
        f"ids (`{tokenizer['fingerprint'][:12]}`). Trained with `raygene train` on a dataset of `raygene build`, with "
        f"these sections of the experiment:\n\n{fenced('yaml', text)}\n\n{software}.{run}"
    )


def _flow(values: Any) -> str:
    # YAML marks the end of a document that is a bare scalar.
    return yaml_writer.dump(values, flow=True).strip().removesuffix("\n...")
