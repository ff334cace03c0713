"""What `benchmarks/genes.py` compares: test genomes, gene finders, and the cost of a command."""
