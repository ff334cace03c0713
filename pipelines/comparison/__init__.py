"""Called genes compared with annotated ones, at every level from bases to genes."""
