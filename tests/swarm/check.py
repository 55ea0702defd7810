"""What must be true of one scenario: of its run, of the same run told otherwise, and of runs a little different."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sim import Result
from sim.config.errors import ConfigError, DataError
from sim.fleet import feed
from sim.scenario import Scenario
from tests.bill_invariants import billed_usd
from tests.invariants import check as hold
from tests.swarm import oracle, relations
from tests.swarm.ran import differing, left, run, watched

PLAIN_SHARE = 3
"""Every so many-th scenario is given each of the costlier checks."""


@dataclass
class Seen:
    """What has been checked of a scenario."""

    counts: Counter[str] = field(default_factory=Counter)
    refused: str = ""
    """The complaint of a run that cannot be."""


def examine(scenario: Scenario, seed: int, folder: Path, every: int = PLAIN_SHARE) -> Seen:
    """Run it and check it; `AssertionError`, or whatever is raised, is a finding. `every`: 1 checks all of it."""
    seen = Seen()
    with watched() as kept:
        try:
            one = run(scenario, "simpy")
        except (ConfigError, DataError) as error:
            seen.refused = str(error)
            assert seen.refused
            again_refused(scenario)
            return seen
        found = left(one)
        if not (why := oracle.beyond(scenario)):
            seen.counts["compared with the oracle" if oracle.compare(scenario, kept) else "rounding decides"] += 1
        else:
            seen.counts[f"no oracle: {why}"] += 1
        other = run(scenario, "compiled")
        assert not (names := differing(found, left(other))), f"the calendars differ in {names}"
        hold(scenario, other.log, kept.tables)
        told = told_as_json(other)
        seen.counts["runs"] += 1
        seen.counts["requests"] += len(one.log.requests)
        seen.counts.update(kinds(scenario, other))
        if seed % every == 0:
            streamed(scenario, found, seen)
            bill(scenario, one)
        relations.hold(scenario, one, told, seed if every > 1 else None, seen.counts)
        if seed % (10 * every) == 0 or every == 1:
            page(other, folder)
            seen.counts["reports"] += 1
    return seen


def again_refused(scenario: Scenario) -> None:
    """The other calendar refuses what one refuses."""
    with pytest.raises((ConfigError, DataError)):
        run(scenario, "compiled")


def told_as_json(result: Result) -> dict[str, Any]:
    """Its summary, which must be JSON without NaN or infinities, and read back as it is."""
    told = result.summary()
    assert json.loads(json.dumps(told, allow_nan=False)) == told, "a summary that is not JSON"
    return told


def streamed(scenario: Scenario, found: dict[str, bytes], seen: Seen) -> None:
    """The same run in parts has the same rows (M9: cut anywhere and gone on)."""
    if feed.why_kept(scenario):
        return
    rows: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed, "CHUNK_ROWS", 17)
        try:
            told = run(scenario, "compiled", stream=True, retired=lambda _: lambda some, _: rows.append(some.copy()))
        except ConfigError as error:
            if "prefix hashes" not in str(error):
                raise
            return
    for name in (name for name in found if name.startswith("requests.") and name != "requests.next"):
        column = name.removeprefix("requests.")
        assert b"".join(some[column].tobytes() for some in rows) == found[name], f"streamed: {name}"
    again = left(told)
    for name in found.keys() - {"notes"}:
        assert name.startswith("requests.") or again[name] == found[name], f"streamed: {name}"
    told_as_json(told)
    seen.counts["streamed"] += 1


def bill(scenario: Scenario, result: Result) -> None:
    """I7 once more: every figure of the bill adds up to the total."""
    told = result.summary()
    if told["cost"]["total_usd"] is None:
        return
    usd = billed_usd(scenario, result.log)
    error = 1e-9 * (1 + sum(abs(value) for value in usd.values()))
    assert abs(told["cost"]["total_usd"] - sum(usd.values())) <= error, "the bill is not that of the state log"
    assert abs(sum(line["usd"] for line in told["invoice"]) - sum(usd.values())) <= error, "lines of the invoice"


def page(result: Result, folder: Path) -> None:
    """Its report is written."""
    from sim.report import render

    path = folder / "report.html"
    path.write_text(render(result), encoding="utf-8")
    assert path.stat().st_size > 10_000


def kinds(scenario: Scenario, result: Result) -> Counter[str]:
    """What sort of scenario it was."""
    pools = scenario.pools.values()
    elastic = any(pool.autoscaler.floor_replicas != pool.autoscaler.most_replicas for pool in pools)
    faults = any(pool.faults or any(offer.market == "spot" for offer in pool.supply) for pool in pools)
    names = scenario.workload.stream_names
    retries = any(scenario.workload.clients_of(name).retry is not None for name in names)
    calls = result.log.calls
    again = 0 if calls is None else int((calls["attempt"] > 1).sum())
    return Counter(
        {
            "elastic": elastic,
            "with faults": faults,
            "with retries": retries,
            "elastic with faults and retries": elastic and faults and retries,
            "lost a replica": bool((result.log.requests["lost"] > 0).any()),
            "tried again": again > 0,
            "preempted": result.log.preemptions > 0,
            "priced": scenario.contracts != {} or result.summary()["cost"]["total_usd"] is not None,
        }
    )
