"""Genes in whole genomes: windows on both strands, their mean score along the sequence, and calls out of it."""
