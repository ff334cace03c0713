"""Gene models: genes with their transcripts, exons and coding sequences, read from and written to files."""
