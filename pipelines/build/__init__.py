"""The build: genomes or labelled sequences to a token dataset, on Ray."""
