"""Labelled sequences as files hold them: CSV and TSV with columns, and FASTA with a file of labels."""
