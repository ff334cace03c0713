"""Starts a function on workers, by Ray Train or in one child process, and receives their events."""
