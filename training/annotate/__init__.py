"""Gene models of a whole genome: per-base scores of a network, decoded into valid genes and written."""
