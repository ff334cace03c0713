"""Per-base labels of gene structure: what an annotation says of every base of both strands."""
