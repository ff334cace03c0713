"""Genomes and their annotation: sequences, intervals, features, and the file formats that hold them."""
