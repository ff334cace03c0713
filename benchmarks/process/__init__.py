"""What a process of a benchmark takes."""
