"""The network that gives every base of both strands its state, its batches and its loss."""
