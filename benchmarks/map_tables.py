"""What a map over many small tables costs its driver: plain tasks of Ray, as builds use them, and Ray Data.

    python benchmarks/map_tables.py [--tables 70] [--repeats 5] [--cpus 2] [--results FILE]

Wall seconds on a running Ray whose workers have started, in turns after one that does not count; medians go to
--results, by default benchmarks/results/map_tables.json. The function returns its table.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

import pyarrow as pa
import ray

from benchmarks.process.options import at_least, parse
from pipelines import storage
from pipelines.ray_map import map_tables

RESULTS = Path(__file__).parent / "results" / "map_tables.json"
Map = Callable[[list[pa.Table]], Iterator[pa.Table]]


def same(table: pa.Table) -> pa.Table:
    """The table."""
    return table


def by_ray_data(tables: list[pa.Table]) -> Iterator[pa.Table]:
    """As builds mapped their tables before."""
    import ray.data

    ray.data.DataContext.get_current().op_resource_reservation_enabled = False
    blocks: list[Any] = [ray.put(table) for table in tables]
    results = ray.data.from_arrow_refs(blocks).map_batches(
        same, batch_format="pyarrow", batch_size=None, zero_copy_batch=True, num_cpus=1
    )
    for bundle in results.iter_internal_ref_bundles():
        yield from ray.get(list(bundle.block_refs))


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=70)
    parser.add_argument("--repeats", type=at_least(1), default=5)
    parser.add_argument("--cpus", type=at_least(1), default=2)
    arguments = parse(parser, RESULTS, small=("repeats",))
    ray.init(address="local", num_cpus=arguments.cpus, include_dashboard=False, log_to_driver=False)
    tables = [pa.table({"number": [number]}) for number in range(arguments.tables)]
    maps: dict[str, Map] = {"Ray Data": by_ray_data, "plain tasks": lambda tables: map_tables(tables, same)}
    seconds: dict[str, list[float]] = {name: [] for name in maps}
    for _ in range(arguments.repeats + 1):
        for name, mapped in maps.items():
            began = time.perf_counter()
            assert sum(map(len, mapped(tables))) == len(tables)
            seconds[name].append(time.perf_counter() - began)
    medians = {name: round(statistics.median(of_name[1:]), 3) for name, of_name in seconds.items()}
    print(json.dumps(medians))
    document = {"tables": len(tables), "cpus": arguments.cpus, "seconds": medians}
    storage.write_json(arguments.results, document)


if __name__ == "__main__":
    main()
