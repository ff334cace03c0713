"""Which configuration is tried next: the space, proposals, and the queue of trials."""
