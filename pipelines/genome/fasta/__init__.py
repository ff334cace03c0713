"""Genomes as FASTA files: their sequences at random, an index, and what the cache holds of them."""

from __future__ import annotations

from pipelines.genome.fasta.genome import Genome, open_genome

__all__ = ["Genome", "open_genome"]
