"""Trials: their rows on disk, their memory check, and the processes that train them."""
