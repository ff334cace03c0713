"""Search over training: the layer between `training` and `cluster`. It holds no code yet."""
