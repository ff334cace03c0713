"""Where raygene runs: the command line, the experiment file, the connection to Ray, jobs of a cluster, and its checks.

This package imports all others, and none imports it.

- `cli` runs a command line: `flags` and `flag_types` parse it, `former_commands` refuses the spellings of earlier
  versions, `context` is what a verb gets, `terminal` shows what it prints.
- `verbs` has a module for each verb: its arguments, and a call of the package that does the work. What several verbs
  share is in `scoring`, `gene_calls` and `output_paths`.
- `presets` has experiments to begin with, which `raygene init` fills in.
- `experiment` reads the experiment file; `path_keys` knows which of its keys are paths.
- `connection` opens Ray; `port` checks whether a server listens at all; `local_ray` has the folder and the token of a
  Ray that a verb starts, and `imports` decides which modules its workers find.
- `process` ends a command as defined: its signals, what it has started, and a Ray that is lost.
- `jobs` sends verbs to a cluster as Ray jobs; `doctor` checks a machine or cluster; `recipes` has files for Docker,
  KubeRay and Slurm.
"""

from cluster.imports import raygene_imports

# Here, because everything else of raygene is imported after it: the packages beside this one, whatever PYTHONPATH has.
raygene_imports.prefer_own_packages()
