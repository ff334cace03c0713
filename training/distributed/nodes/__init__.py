"""The nodes of a cluster: what each worker or actor gets of them, and checks that run on them."""
