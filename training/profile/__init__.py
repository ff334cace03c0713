"""Where a training step spends its time, with a trace."""
