"""A closed population: so many users, each of whom asks again a while after the last answer.

How often they ask is known only once they are answered, so their requests are drawn in chunks, as many for each user.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sim.config.units import COUNT, Duration
from sim.workload.arrival import Arrivals
from sim.workload.drawing import drawn_times
from sim.workload.durations import AnyTime
from sim.workload.links import NOBODY, Links
from sim.workload.randomness import RngOf
from sim.workload.returning import ComesBack

__all__ = ["Closed"]

Floats = NDArray[np.float64]
_CHUNK_ROWS = 4096
_LEAST_EACH = 8
_DOUBLINGS = 8


class Closed(Arrivals):
    """A fixed number of users; each thinks, asks, waits for the answer (or the failure), and thinks again."""

    kind: Literal["closed"] = "closed"
    users: Annotated[int, COUNT.between(1, 1_000_000), Field(description="How many they are.")]
    think_s: Annotated[
        AnyTime, Field(alias="think", description="From an answer to the next request: a duration or a law.")
    ] = 0.0
    ramp_s: Annotated[
        Duration, Field(alias="ramp", description="They join evenly over this time, and think before they first ask.")
    ] = 0.0
    comes_back: Annotated[ComesBack | None, Field(description="Who stays away after a slow answer.")] = None

    def arrivals(self, rng_of: RngOf, horizon_s: float) -> Floats:
        """The first request of each user who asks before the horizon."""
        joins_s = np.arange(self.users) * (self.ramp_s / self.users)
        times_s = np.sort(joins_s + drawn_times(self.think_s, "arrivals", rng_of, self.users, "arrivals.think"))
        return times_s[: np.searchsorted(times_s, horizon_s)]

    def mean_rate(self, horizon_s: float) -> float:
        """Of first requests: how many follow depends on how soon they are answered."""
        return self.users / horizon_s

    def each(self, chunk: int, users: int) -> int:
        """Further requests of each user in a chunk; 0 is what follows the first ones at once, and later ones grow."""
        return max(_LEAST_EACH, _CHUNK_ROWS // users) << min(chunk, _DOUBLINGS) if users else 0

    def links(self, rng_of: RngOf, users: int, chunk: int) -> Links:
        """Who follows whom, rows user after user for each round of requests.

        Chunk 0 begins with the first requests; of the others, the first round follows what was drawn before. The
        `rng_of` of a chunk has numbers of its own.
        """
        rounds = self.each(chunk, users) + (chunk == 0)
        n = rounds * users
        round_ = np.repeat(np.arange(rounds), users)
        waits = np.ones(n, np.int32)
        pause_s = drawn_times(self.think_s, "think", rng_of, n, "arrivals.think")
        user = np.tile(np.arange(users, dtype=np.int32), rounds)
        if chunk == 0:
            waits[:users] = 0
            pause_s[:users] = 0.0
        final = round_ == rounds - 1
        then = np.where(final, NOBODY, np.arange(n) + users).astype(np.int32)
        ends = np.arange(n - users, n, dtype=np.int32)
        heads = np.arange(0 if chunk == 0 else users, dtype=np.int32)
        thens = (~final).astype(np.int32)
        return Links(then, thens, waits, pause_s, user, np.zeros(n, np.int16), round_ == rounds - 2, heads, ends)
