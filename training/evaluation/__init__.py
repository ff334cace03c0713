"""Evaluation of models on a split, compared with trivial rules on the same rows.

`recognition` is for models of genes, `classes` for models of several classes; the modules here serve both.
"""
