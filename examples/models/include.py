"""Puts a trained structure model among those that come with raygene, with figures of what it was measured on.

    python examples/models/include.py NAME BUNDLE --organisms TEXT --experiment PATH \
        --measured "S. pombe III" III.json …

The bundle is copied to training/bundle/included/NAME; weights, tokenizer and `config.json` stay as they are. Its card
is written anew, with the figures of the comparisons that `raygene annotate --annotation --json` wrote, and
training/bundle/included/models.json gets an entry with these figures and the digests of all files.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pipelines import storage
from training.bundle import bundle, digests, included_models
from training.bundle.structure_card import LEVELS, Inclusion, structure_card


def measured(on: str, comparison: Path) -> dict[str, Any]:
    """What a comparison says of the exact CDS of genes and the other levels of a card."""
    figures = json.loads(comparison.read_text(encoding="utf-8"))
    return {
        "on": on,
        "regions": figures["regions"],
        "annotated": figures["cds"]["annotated"],
        "f1": {level: round(figures[level]["f1"], 4) for level in LEVELS},
    }


def include(
    name: str, source: Path, organisms: str, experiment: str, figures: list[dict[str, Any]], notes: list[str]
) -> None:
    """Copy a bundle, write its card, and enter it in the list."""
    bundle.load(source)
    directory = included_models.directory(name)
    storage.make_directory(directory)
    for file in (*bundle.DIGESTED_FILES, digests.CONFIG):
        shutil.copyfile(source / file, directory / file)
    config = json.loads((directory / digests.CONFIG).read_text(encoding="utf-8"))
    card = structure_card(config, Inclusion(name, experiment, figures, notes))
    storage.write_text(directory / bundle.CARD, card)
    path = included_models.FOLDER / included_models.CATALOGUE
    entries = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    entries[name] = {
        "organisms": organisms,
        "experiment": experiment,
        "files": digests.entries_of_files(directory, sorted(one.name for one in directory.iterdir()), name),
        "measured": figures,
    }
    storage.write_text(path, json.dumps(entries, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", metavar="NAME", help="that command lines will take")
    parser.add_argument("bundle", metavar="BUNDLE", type=Path, help="the trained model")
    parser.add_argument("--organisms", required=True, metavar="TEXT", help="for which it is")
    parser.add_argument("--experiment", required=True, metavar="PATH", help="that it was trained by, in the repository")
    parser.add_argument(
        "--measured",
        nargs=2,
        action="append",
        required=True,
        metavar=("TEXT", "JSON"),
        help="sequences that it has not seen, and the comparison on them; may be repeated",
    )
    parser.add_argument("--note", action="append", default=[], metavar="TEXT", help="a sentence for the card")
    arguments = parser.parse_args()
    figures = [measured(on, Path(path)) for on, path in arguments.measured]
    include(arguments.name, arguments.bundle, arguments.organisms, arguments.experiment, figures, arguments.note)


if __name__ == "__main__":
    main()
