"""Which part of a run a trace shows: a viewer opens some hundred thousand events, a run may have millions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.config.errors import ConfigError, Problem
from sim.result.words import count, duration

if TYPE_CHECKING:
    from sim.exchange.served import Served
    from sim.result.log import RunLog

MOST_EVENTS = 200_000
"""About 30 MB, and what viewers still scroll through without a pause."""

_ARRIVES, _STARTS, _FIRST, _ENDS, _LIFE, _DECIDES = 1, 3, 1, 2, 8, 1
"""Events that one such instant makes at most: slices, and steps of counters."""


@dataclass(frozen=True)
class Window:
    """From where to where, in nanoseconds of the run: whole numbers, so that slices that touch do touch."""

    from_ns: int
    to_ns: int
    whole: bool
    """Whether it is all of the run."""

    @property
    def words(self) -> str:
        """`0 s to 12 min 5 s`."""
        return f"{duration(self.from_ns / 1e9)} to {duration(self.to_ns / 1e9)}"


def nanoseconds(at_s: NDArray[np.float64] | float, most_ns: int) -> NDArray[np.int64]:
    """Seconds as whole nanoseconds, shape as given; what never happens, or later than `most_ns`, as that."""
    at_ns = np.rint(np.minimum(np.nan_to_num(np.asarray(at_s), nan=np.inf), most_ns / 1e9) * 1e9)
    return np.asarray(np.minimum(at_ns.astype(np.int64), most_ns))


def window_of(log: RunLog, served: Served, from_s: float | None, to_s: float | None, most: int = MOST_EVENTS) -> Window:
    """What was asked for, or as much from there on as has `most` events. Raises `ConfigError`.

    A part that was asked for with both ends, and is too much, is refused: the user knows what matters.
    """
    begin_s = 0.0 if from_s is None else from_s
    end_s = log.end_s if to_s is None else min(to_s, log.end_s)
    if begin_s >= log.end_s:
        told = f"is {duration(begin_s)}, and the run is over after {duration(log.end_s)}; name an earlier time"
        raise ConfigError(Problem(told, "--from"))
    if end_s <= begin_s:
        raise ConfigError(Problem(f"must be after --from ({duration(begin_s)}), got {duration(end_s)}", "--to"))
    at_s, weight = _instants(log, served)
    first, last = np.searchsorted(at_s, (begin_s, end_s))
    total = np.cumsum(weight[first:last])
    if len(total) and total[-1] > most:
        fits_s = float(at_s[first + np.searchsorted(total, most, side="right")])
        if to_s is not None:
            told = (
                f"makes {count(int(total[-1]))} events with --from {duration(begin_s)}, and a viewer opens some "
                f"{most:,}; up to --to {max(math.floor(fits_s), begin_s + 1e-3):.6g}s it is as many"
            )
            raise ConfigError(Problem(told, "--to"))
        end_s = fits_s
    from_ns, to_ns = round(begin_s * 1e9), round(end_s * 1e9)
    return Window(from_ns, to_ns, from_ns == 0 and end_s >= log.end_s)


def _instants(log: RunLog, served: Served) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """All instants at which something is drawn, in order, with how many events that may be."""
    parts = [
        (served.arrival_s, _ARRIVES),
        (served.start_s, _STARTS),
        (served.first_s, _FIRST),
        (served.end_s, _ENDS),
        (log.spans["ordered_s"], _LIFE),
        (np.array([row.at_s for row in log.decisions if row.wanted != row.current]), _DECIDES),
    ]
    at_s = np.concatenate([each for each, _ in parts])
    weight = np.repeat([many for _, many in parts], [len(each) for each, _ in parts])
    order = np.argsort(at_s, kind="stable")
    order = order[np.isfinite(at_s[order])]
    return at_s[order], weight[order]
