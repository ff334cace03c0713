"""Token vectors learnt out of band: skip-gram with negative sampling on k-mers, judged by a task that overlap cannot solve."""
