"""Rows and bins as pandas frames, and as the plain columns that files are written from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sim.config.errors import ConfigError
from sim.model.tables import NONE, OUTCOMES
from sim.result.groups import Senders

if TYPE_CHECKING:
    import pandas as pd

    from sim.result.log import RunLog

MAY_BE_NONE = ("replica", "session", "turn")
"""Columns in which -1 stands for none."""

ROWS_GONE = "a streamed run keeps no row a request; run it with --no-stream (stream=False), or let it write them"

COUNTED = ("arrivals", "offered", "completed")
"""Columns of the timeline that are whole numbers."""


class Names(Senders, Protocol):
    """What the codes in request rows stand for: a run's log knows it, and before there is one `RowNames`."""

    @property
    def streams(self) -> tuple[str, ...]: ...

    @property
    def pools(self) -> tuple[str, ...]: ...

    @property
    def rooms(self) -> tuple[int, ...]: ...


class RowNames(NamedTuple):
    """As the fields of the same names of `RunLog`."""

    streams: tuple[str, ...]
    pools: tuple[str, ...]
    rooms: tuple[int, ...]
    classes: tuple[str, ...]
    tenants: tuple[str, ...]
    stream_class: tuple[int, ...]
    stream_tenant: tuple[int, ...]


def categories(log: Names) -> dict[str, tuple[str, ...]]:
    """The names that the codes of each categorical column stand for; code -1 is none."""
    names = {"stream": log.streams, "pool": log.pools, "outcome": OUTCOMES}
    return names | {name: found for name, found in (("class", log.classes), ("tenant", log.tenants)) if found}


def request_columns(log: RunLog, rows: slice = slice(None)) -> dict[str, NDArray[Any]]:
    """The attempts in arrival order, column by column; categorical columns as codes.

    `request` counts from 0, and `first_request` is that of the first attempt; times are seconds from the run's start,
    NaN for what never happened; `replica` is the index within the pool (the one that decodes, for a request that was
    handed over), -1 for one that never got there.
    """
    first = rows.indices(len(log.requests))[0]
    return row_columns(log, log.requests[rows], first) | _of_calls(log, rows)


def row_columns(names: Names, part: NDArray[np.void], first: int) -> dict[str, NDArray[Any]]:
    """The same of some rows of a run whose clients just wait; `first` is the number of the first."""
    columns = {
        "request": np.arange(first, first + len(part), dtype=np.int64),
        "stream": part["stream"].copy(),
        "arrival_s": part["arrival_s"].copy(),
        "prompt_tokens": part["prompt_tokens"].copy(),
        "output_tokens": part["output_tokens"].copy(),
        "pool": part["pool"].copy(),
        "replica": _replica_in_pool(names, part),
        "start_s": part["start_s"].copy(),
        "first_token_s": part["first_token_s"].copy(),
        "finish_s": part["finish_s"].copy(),
        "outcome": part["outcome"].astype(np.int16),
        "cached_tokens": part["cached_tokens"].copy(),
    }
    return columns | _of_senders(names, part)


def _of_senders(log: Names, part: NDArray[np.void]) -> dict[str, NDArray[Any]]:
    """Class and tenant, where there are any."""
    known = {"class": (log.classes, log.stream_class), "tenant": (log.tenants, log.stream_tenant)}
    return {name: np.array(codes, np.int16)[part["stream"]] for name, (names, codes) in known.items() if names}


def _of_calls(log: RunLog, rows: slice) -> dict[str, NDArray[Any]]:
    """Which attempt it is at which request, where clients do more than wait; and its place in a session, if any has."""
    if log.calls is None:
        return {}
    part = log.calls[rows]
    columns = {name: part[name].copy() for name in ("attempt", "copy")}
    columns |= {"first_request": part["first"].astype(np.int64)}
    if (log.calls["session"] != NONE).any():
        alone = part["session"] == NONE
        columns |= {"session": part["session"].copy(), "turn": np.where(alone, NONE, part["turn"]).astype(np.int16)}
    return columns


def _replica_in_pool(log: Names, part: NDArray[np.void]) -> NDArray[np.int32]:
    """The model numbers replicas through all pools; people number them within one."""
    first_row = np.concatenate(([0], np.cumsum(log.rooms)))[:-1].astype(np.int32)
    replica = part["replica"].astype(np.int32)
    known = replica != NONE
    served_by = np.searchsorted(first_row, replica[known], side="right") - 1
    replica[known] -= first_row[served_by]
    return replica


def requests_frame(log: RunLog) -> pd.DataFrame:
    """One row an attempt, in arrival order; what has a name (`stream`, `pool`, `outcome`, ...) is a categorical.

    Raises ConfigError for a streamed run, which keeps none.
    """
    import pandas as pd

    if log.tally is not None:
        raise ConfigError(ROWS_GONE)

    names = categories(log)
    columns: dict[str, Any] = dict(request_columns(log))
    for name in names:
        columns[name] = pd.Categorical.from_codes(columns[name], categories=pd.Index(names[name], dtype="str"))
    return pd.DataFrame(columns, copy=False)


def timeline_frame(columns: dict[str, NDArray[np.float64]]) -> pd.DataFrame:
    """One row a bin; see `sim.result.timeline.timeline_columns`."""
    import pandas as pd

    return pd.DataFrame(columns).astype(dict.fromkeys(COUNTED, np.int64))


def decisions_frame(log: RunLog) -> pd.DataFrame:
    """One row a decision of an autoscaler: at_s, pool, current, wanted, reason."""
    import pandas as pd

    columns = ("at_s", "pool", "current", "wanted", "reason")
    return pd.DataFrame({name: [getattr(row, name) for row in log.decisions] for name in columns})
