"""Ray jobs: checking a command line, sending the code, following the log, and the exit status.

`actions` has the actions of `raygene submit`. `command` prepares what a job runs, `package` its code and `environment`
its runtime environment; `server` and `client` talk to the cluster's job server; `follow`, `stop` and `outcome` see a
job to its end; `hints` and `listing` format what is shown.
"""
