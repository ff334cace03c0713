"""Which configuration is tried next: the space, proposals from it, the queue of trials, and their early stopping."""
