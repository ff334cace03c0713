"""Ray jobs: what a job is given, how it is sent to a cluster, followed and judged."""
