"""What a study found: the best configuration, importances, and the report."""
