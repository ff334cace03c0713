"""What one stage of a model keeps and needs in memory, in bytes."""
