"""Evaluation of models on a split, compared with trivial rules on the same rows.

`recognition` is for models of two labels (genes, promoters or binding sites against negatives), `classes` for models of
several classes; the modules here serve both. Models of gene structure are not scored by split: `raygene annotate`
compares their genes with an annotation (`pipelines.comparison`).
"""
