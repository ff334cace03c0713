"""Paths and addresses on command lines and in experiments: what is read, what is written, and where."""
