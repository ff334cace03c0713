"""Train, validation and test: by chromosome, block, genome or family, with the leakage between them."""
