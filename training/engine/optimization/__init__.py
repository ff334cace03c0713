"""What moves the weights: optimizers, the learning rate, frozen layers, and averages of weights."""
