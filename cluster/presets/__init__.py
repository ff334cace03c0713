"""Experiments to begin with: a template for each kind of model, filled in for the files of a user.

- `genome_facts` reads names, lengths and genes of sequences, and finds organelles.
- `held_out` chooses what is kept for validation and test.
- `network` chooses that of a structure model, by its genome's introns.
- `experiment_text` fills a template; the templates are the YAML files beside it.
"""
