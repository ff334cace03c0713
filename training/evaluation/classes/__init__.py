"""Evaluation of models of classes on a split: figures of all classes and of each, beside trivial rules."""
