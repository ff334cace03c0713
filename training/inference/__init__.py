"""Scoring sequences and intervals with a trained bundle."""
