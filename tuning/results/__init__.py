"""What a study leaves: tables, the page, importances, and the best configuration with its bundle."""
