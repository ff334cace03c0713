"""What benchmarks share: options, stored figures, verbs as processes, and the memory that processes take."""
