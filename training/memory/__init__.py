"""Will it fit: the memory of a training step foretold by a formula, tried out by a probe, and turned into a token budget."""
