"""What processes of benchmarks share: options, and the memory that they take."""
