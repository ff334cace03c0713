"""GPUs and CPUs of a machine: which there are, which are usable, and how busy they are."""
