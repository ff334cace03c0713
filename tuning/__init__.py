"""Hyperparameter studies on Ray Tune: which values of which keys to try, checked for memory before a trial starts.

`study.tune` is the entry. It calls, from top to bottom:

- `run` runs the trials of a study that are still to do, on a connected Ray.
- `results/` makes the report from what is on disk: tables, the page, importances, and the best configuration with its bundle.
- `search/` decides what is tried next. Proposals come from a grid, random draws or Optuna; the queue turns them into trials;
  `ray_searcher` hands those to Ray Tune, and `halving` stops trials early.
- `trials/` is about single trials: their rows on disk, whether they fit the memory, and the processes that train them.
- The modules at the root are shared: configuration and keys, the identity of a study, the row of a trial, ranking, text.

Each layer imports only those below it.
"""
