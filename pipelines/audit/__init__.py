"""What is in a dataset, and how well trivial rules already separate its classes."""
