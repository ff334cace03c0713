"""Model bundles: weights, tokenizer, configuration and model card in one directory, with digests."""
