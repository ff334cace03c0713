"""A comparison as tables, JSON and one HTML page."""
