"""What fits between queues and those who wait in them: classes, tenants, SLOs, deadlines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from sim.config import catalogue
from sim.config.said import Problems
from sim.scenario.classes import DEFAULT
from sim.scenario.replica import Slots
from sim.scenario.waiting import ShedByLoad, ShedByWait, Waiting

if TYPE_CHECKING:
    from sim.scenario import Scenario

__all__ = ["longest_wait_s", "misplaced"]

_WAITS = ("ttft", "queue_wait")


def longest_wait_s(scenario: Scenario, name: str | None) -> float:
    """What SLOs say of the wait of a class (None: of all, where there are no classes); inf if they say nothing.

    An SLO of its own goes before one for all; of several, the shortest.
    """
    limits = [target for target in scenario.slo if target.metric in _WAITS and target.tenant is None]
    own = [target.under_s for target in limits if target.class_name == name]
    general = [target.under_s for target in limits if target.class_name is None]
    return min(own or general, default=math.inf)


def misplaced(scenario: Scenario) -> Problems:
    """What does not fit between the pools' queues and classes, tenants, SLOs and clients."""
    found: Problems = []
    for name, pool in scenario.pools.items():
        for keys, told in _in_queue(scenario, name, pool.queue):
            found.append((("pools", name, "queue", *keys), told))
    return found


def _in_queue(scenario: Scenario, pool: str, queue: Waiting) -> Iterator[tuple[tuple[str, ...], str]]:
    classes = scenario.request_classes
    levels = {each.priority for each in classes.values()}
    for key, given in (("preemptive", queue.preemptive), ("aging", queue.aging_s is not None)):
        if given and len(levels) < 2:
            what = "no stream carries a class" if not classes else f"every class has priority {min(levels)}"
            yield (key,), f"{what}, so nobody goes before others; give classes different 'priority', or take this out"
    if queue.order == "weighted_fair" and len(classes) < 2:
        yield ("order",), "shares between classes, and there are not two of them; give streams a 'class'"
    if queue.fair is not None and len(scenario.customers) < 2:
        yield ("fair",), "shares between tenants, and there are not two of them; give streams a 'tenant'"
    yield from _unknown(("classes",), queue.classes, classes)
    if queue.max_waiting_tokens is not None and _without_tokens(scenario, pool):
        yield ("max_waiting_tokens",), "the requests of slots have no tokens; give 'max_waiting', in requests"
    sheddable = [*classes] or [DEFAULT]  # without classes all requests are of one
    if isinstance(queue.shed, ShedByLoad):
        yield from _unknown(("shed", "at"), queue.shed.at, sheddable)
    if isinstance(queue.shed, ShedByWait):
        yield from _unknown(("shed", "limit"), queue.shed.limit, sheddable)
        yield from _without_limit(scenario, pool, queue.shed)
    if queue.reject == "at_deadline":
        yield from _without_deadline(scenario, pool)


def _unknown(
    at: tuple[str, ...], named: Iterable[str], classes: Iterable[str]
) -> Iterator[tuple[tuple[str, ...], str]]:
    for name in named:
        if name not in classes:
            yield (*at, name), f"no class is called '{name}'{catalogue.did_you_mean(name, classes)}"


def _streams(scenario: Scenario, pool: str) -> list[str]:
    return [stream for stream in scenario.workload.stream_names if scenario.pool_of(stream) == pool]


def _without_tokens(scenario: Scenario, pool: str) -> bool:
    streams = _streams(scenario, pool)
    slots = isinstance(scenario.pools[pool].replica, Slots)
    return slots and bool(streams) and not any(scenario.workload.has_tokens(stream) for stream in streams)


def _without_limit(scenario: Scenario, pool: str, shed: ShedByWait) -> Iterator[tuple[tuple[str, ...], str]]:
    classes = dict(zip(scenario.workload.stream_names, scenario.stream_classes, strict=True))
    for name in dict.fromkeys(classes[stream] for stream in _streams(scenario, pool)):
        if (name or DEFAULT) not in shed.limit and longest_wait_s(scenario, name) == math.inf:
            whose = f"class '{name}' has" if name else "there is"
            remedy = f", or 'limit: {{{name or DEFAULT}: 1s}}' here"
            yield ("shed",), f"{whose} no SLO on ttft or queue_wait, so no wait is too long; give 'slo'{remedy}"


def _without_deadline(scenario: Scenario, pool: str) -> Iterator[tuple[tuple[str, ...], str]]:
    for stream in _streams(scenario, pool):
        clients = scenario.workload.clients_of(stream)
        if clients.total_timeout_s is None and clients.first_token_timeout_s is None:
            told = f"the clients of stream '{stream}' have no deadline; give them 'total_timeout', or reject at_once"
            yield ("reject",), told
