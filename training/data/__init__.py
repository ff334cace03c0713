"""Batches: rows of a token dataset to padded tensors, and the steps of an epoch."""
