"""Per-base scores of both strands to gene models that are valid by construction."""
