"""Hyperparameter studies on Ray Tune: which values of which keys to try, checked for memory before a trial starts.

`study.tune` is the entry. It calls, from top to bottom:

- `run` runs the trials of a study that are still to do, on a connected Ray.
- `results/` makes the report from what is on disk: tables, page, importances, the best configuration and its bundle.
- `search/` decides what is tried next. Proposals come from a grid, random draws or Optuna. The queue turns them into
  trials, `ray_searcher` hands those to Ray Tune, and `halving` stops trials early.
- `trials/` is about single trials: their rows on disk, whether they fit the memory, and the processes that train them.
- The modules at the root are shared: configuration, keys, identity of a study, row of a trial, ranking, text.

Each layer imports only those below it.
"""
