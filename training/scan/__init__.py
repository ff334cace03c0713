"""Genes in whole genomes: windows on both strands are scored, averaged along the sequence, and called.

The steps in order: `suitability` (may the model scan?), `tasks` (the genome in pieces), `windows` (scores of a piece),
`calls` (what decides a call), `outputs` (the files). `run` puts them together.
"""
