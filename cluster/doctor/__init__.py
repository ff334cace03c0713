"""Checks of a machine or a cluster: facts are gathered on every node, and judged here."""
