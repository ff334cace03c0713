"""The training loop in plain PyTorch, with or without Ray."""
