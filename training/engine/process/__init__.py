"""What holds for a whole process that computes: algorithms, threads, and memory that is freed."""
