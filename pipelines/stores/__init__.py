"""Folders at addresses such as `s3://bucket/run`: opened, listed, read, written, and held by one writer at a time."""
