"""Genes in whole genomes: windows on both strands are scored, scores are averaged along the sequence, and genes are called.

The steps in order: `suitability` (may the model scan?), `tasks` (the genome in pieces), `windows` (scores of a piece),
`calls` (what decides a call), `outputs` (the files). `run` puts them together; `accuracy` compares calls with genes.
"""
