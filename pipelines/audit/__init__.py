"""What is in a dataset, and which trivial rules already tell its classes apart."""
