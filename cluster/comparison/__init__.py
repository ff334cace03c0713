"""Calls of genes against an annotation, as several verbs offer it."""
