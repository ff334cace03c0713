"""Documents of values: YAML read and written with names as they are, JSON sealed with a digest."""
