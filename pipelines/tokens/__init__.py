"""k-mer tokens: the tokenizer, its vocabulary and its file."""
