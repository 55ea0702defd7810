"""Which pool each request is sent to, by the streams' pools and the scenario's routes; and which pools it may reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.model.specs import PoolSpec
from sim.scenario import Scenario
from sim.scenario.routes import Between


def pools_of(scenario: Scenario, requests: NDArray[Any]) -> NDArray[np.int16]:
    """The pool's row for each request, shape (n,), from its `stream`, `prompt_tokens`, `output_tokens`, `ticket`."""
    names = list(scenario.pools)
    homes = np.array([names.index(pool) for pool in scenario.stream_pools], np.int16)
    pool: NDArray[np.int16] = homes[requests["stream"]]
    routes = scenario.routes or ()
    free = np.ones(len(requests) if routes else 0, np.bool_)
    for index, route in enumerate(routes):
        about = np.array([route.about(name, labels) for name, labels in scenario.labels.items()])
        meant = free & about[requests["stream"]]
        for bounds, tokens in ((route.prompt_tokens, "prompt_tokens"), (route.output_tokens, "output_tokens")):
            if bounds is not None:
                meant &= _within(bounds, requests[tokens])
        if route.share is not None:
            meant &= _lot(requests["ticket"], index) < route.share
        pool[meant] = names.index(route.to)
        free &= ~meant
    return pool


def _within(bounds: Between, tokens: NDArray[np.int32]) -> NDArray[np.bool_]:
    return (tokens > bounds.low) & (tokens <= bounds.high)


def _lot(tickets: NDArray[np.float64], index: int) -> NDArray[np.float64]:
    """A number in [0, 1) for each ticket, shape (n,): the ticket's bits mixed, for each rule in another way.

    So a rule's luck is neither that of routers that draw lots nor that of other rules. Mixing: splitmix64 (Steele, Lea,
    Flood 2014).
    """
    mixed = np.ascontiguousarray(tickets, np.float64).view(np.uint64) + np.uint64((index + 1) * _GOLDEN % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.ldexp(((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)).astype(np.float64), -53)


_GOLDEN = 0x9E3779B97F4A7C15


def spilling(specs: Sequence[PoolSpec], row: int) -> list[int]:
    """The pools whose new requests may get to this one: itself, and those that pass theirs on to it."""
    found = [row]
    for reached in found:
        found += [other for other, spec in enumerate(specs) if spec.spill_to == reached and other not in found]
    return found
