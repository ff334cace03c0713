"""Maps over Arrow tables on Ray, by short-lived tasks or by a pool of actors that keep what they loaded.

Results come in any order. A task whose worker dies is retried, a limited number of times, and what no node of the
cluster can hold any more is an error after some minutes.
"""

from pipelines.ray_map.actors import map_tables_on_actors, shared_actors
from pipelines.ray_map.here import in_this_process, maps_here
from pipelines.ray_map.tasks import map_tables

__all__ = ["in_this_process", "map_tables", "map_tables_on_actors", "maps_here", "shared_actors"]
