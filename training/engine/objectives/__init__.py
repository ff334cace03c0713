"""What a model learns and is chosen by: the parts of the training loop that differ from task to task."""
