"""Rows and bins as pandas frames, and as the plain columns that files are written from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.model.tables import NONE, OUTCOMES

if TYPE_CHECKING:
    import pandas as pd

    from sim.result.log import RunLog

CATEGORIES = ("stream", "pool", "outcome")
"""Columns that are codes into a list of names."""


def categories(log: RunLog) -> dict[str, tuple[str, ...]]:
    """The names that the codes of each categorical column stand for."""
    return {"stream": log.streams, "pool": log.pools, "outcome": OUTCOMES}


def request_columns(log: RunLog, rows: slice = slice(None)) -> dict[str, NDArray[Any]]:
    """The requests in arrival order, column by column; categorical columns as codes.

    `request` counts from 0; times are seconds from the run's start, NaN for what never happened; `replica` is the index
    within the pool (the one that decodes, for a request that was handed over), -1 for one that never got there.
    """
    part = log.requests[rows]
    first = rows.indices(len(log.requests))[0]
    return {
        "request": np.arange(first, first + len(part), dtype=np.int64),
        "stream": part["stream"].copy(),
        "arrival_s": part["arrival_s"].copy(),
        "prompt_tokens": part["prompt_tokens"].copy(),
        "output_tokens": part["output_tokens"].copy(),
        "pool": part["pool"].copy(),
        "replica": _replica_in_pool(log, part),
        "start_s": part["start_s"].copy(),
        "first_token_s": part["first_token_s"].copy(),
        "finish_s": part["finish_s"].copy(),
        "outcome": part["outcome"].astype(np.int16),
        "cached_tokens": part["cached_tokens"].copy(),
    }


def _replica_in_pool(log: RunLog, part: NDArray[np.void]) -> NDArray[np.int32]:
    """The model numbers replicas through all pools; people number them within one."""
    first_row = np.concatenate(([0], np.cumsum(log.rooms)))[:-1].astype(np.int32)
    replica = part["replica"].astype(np.int32)
    known = replica != NONE
    served_by = np.searchsorted(first_row, replica[known], side="right") - 1
    replica[known] -= first_row[served_by]
    return replica


def requests_frame(log: RunLog) -> pd.DataFrame:
    """One row a request, in arrival order; `stream`, `pool` and `outcome` are categoricals."""
    import pandas as pd

    names = categories(log)
    columns: dict[str, Any] = dict(request_columns(log))
    for name in CATEGORIES:
        columns[name] = pd.Categorical.from_codes(columns[name], categories=pd.Index(names[name], dtype="str"))
    return pd.DataFrame(columns, copy=False)


def timeline_frame(columns: dict[str, NDArray[np.float64]]) -> pd.DataFrame:
    """One row a bin; see `sim.result.timeline.timeline_columns`."""
    import pandas as pd

    return pd.DataFrame(columns).astype({"arrivals": np.int64})


def decisions_frame(log: RunLog) -> pd.DataFrame:
    """One row a decision of an autoscaler: at_s, pool, current, wanted, reason."""
    import pandas as pd

    columns = ("at_s", "pool", "current", "wanted", "reason")
    return pd.DataFrame({name: [getattr(row, name) for row in log.decisions] for name in columns})
