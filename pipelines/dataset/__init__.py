"""Token datasets on disk: Parquet parts, the memory-mapped cache, random access and export."""
