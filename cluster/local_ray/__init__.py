"""The Ray that a verb starts for itself on this machine: the folder of its files, its token, and who can reach it."""
