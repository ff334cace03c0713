"""AUGUSTUS, with the parameters that come with it and retrained.

Settings in both cases, which differ from its own only in what the output holds:

- `--stopCodonExcludedFromCDS=false`: the CDS ends with its stop codon, as in the annotations. The built-in parameters
  of the two yeasts leave it out, and then no CDS would be exact.
- `--print_utr=on`: untranslated parts where the species' parameters predict them, which of the three A. thaliana's do.
- `--genemodel=partial` is the default: genes with introns, and genes cut by a sequence's end.
- Soft-masked bases count against exons, also by default; the genomes of the yeasts have none.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from benchmarks.peers.process_tree import Cost, cost_of

SETTINGS = (
    "--gff3=on",
    "--uniqueGeneId=true",
    "--genemodel=partial",
    "--stopCodonExcludedFromCDS=false",
    "--print_utr=on",
)
CONFIG = "AUGUSTUS_CONFIG_PATH"
STOP_CODON_KEYS = {"tag": "/Constant/amberprob", "taa": "/Constant/ochreprob", "tga": "/Constant/opalprob"}


def predict(species: str, fasta: Path, calls: Path, config: Path | None = None, settings: tuple[str, ...] = ()) -> Cost:
    """Call the genes of a FASTA file.

    Args:
        species: name of its parameters.
        fasta: sequences.
        calls: the GFF3 file to write.
        config: folder of parameters; None for the installed one.
        settings: further flags.
    """
    environment = {CONFIG: str(config)} if config else {}
    command = ["augustus", f"--species={species}", *SETTINGS, *settings, str(fasta)]
    return cost_of(command, calls.with_suffix(".log"), environment, calls)


def installed_config() -> Path:
    """The folder of the parameters that come with AUGUSTUS."""
    return Path(os.environ.get(CONFIG, "/usr/share/augustus/config"))


def new_species(config: Path, species: str) -> Path:
    """Make a private folder of parameters with one untrained species, made of `generic` as new_species.pl does it.

    Returns:
        The species' parameter file.
    """
    installed = installed_config()
    shutil.rmtree(config, ignore_errors=True)
    folder = config / "species" / species
    folder.mkdir(parents=True)
    for shared in installed.iterdir():
        if shared.name != "species":
            (config / shared.name).symlink_to(shared)
    for name in ("parameters.cfg", "weightmatrix.txt", "metapars.cfg"):
        text = (installed / "species" / "generic" / f"generic_{name}").read_text()
        (folder / f"{species}_{name}").write_text(text.replace("generic_", f"{species}_"))
    return folder / f"{species}_parameters.cfg"


def retrain(species: str, genbank: Path, config: Path) -> Cost:
    """Train a new species on GenBank records, in a private folder of parameters.

    The frequencies of the three stop codons that etraining counts become parameters, as BRAKER sets them.
    """
    parameters = new_species(config, species)
    log = genbank.with_suffix(".log")
    cost = cost_of(["etraining", f"--species={species}", str(genbank)], log, {CONFIG: str(config)})
    parameters.write_text(with_stop_codons(parameters.read_text(), log.read_text()))
    return cost


def with_stop_codons(parameters: str, messages: str) -> str:
    """A parameter file with the frequencies of stop codons that etraining printed."""
    for codon, key in STOP_CODON_KEYS.items():
        found = re.search(rf"^{codon}:\s*\d+ \(([\d.e+-]+)\)", messages, re.MULTILINE)
        if found is None:
            raise RuntimeError(f"etraining printed no frequency of {codon}")
        parameters, changed = re.subn(rf"^({key}\s+)\S+", rf"\g<1>{found[1]}", parameters, flags=re.MULTILINE)
        if changed != 1:
            raise RuntimeError(f"the parameters have {changed} rows {key}")
    return parameters
