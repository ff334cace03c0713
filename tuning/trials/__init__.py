"""Single trials: their rows on disk, whether they fit the memory of the machines, and the processes that train them."""
