"""Who does the runs of a study: this process, several of them, or a cluster; the results are the same.

Work is a picklable function of a picklable task and depends on nothing else, so who does it, and when, changes nothing.
"""

from __future__ import annotations

from sim.study.executors.base import Ended, Executor, Here, LostError, usable_cores
from sim.study.executors.cluster import Cluster
from sim.study.executors.local import Local
from sim.study.executors.pays import AsPays

__all__ = ["AsPays", "Cluster", "Ended", "Executor", "Here", "Local", "LostError", "executor", "usable_cores"]


def executor(workers: int | None = 1, cluster: str | None = None, each_s: float = 0.0) -> Executor:
    """So many processes of this machine (one: this one, and no others; None: as many as pay), or a cluster.

    `each_s`: how long a task takes at least, as far as that is known.
    """
    if cluster is not None:
        return Cluster(cluster)
    if workers is None:
        return AsPays(each_s=each_s)
    return Here() if workers <= 1 else Local(workers, at_once=usable_cores())
