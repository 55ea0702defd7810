"""What `fleetcast plan` says on the terminal: the verdict, the fleet, the certificates, what else was considered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sim.report.plan.said import share_and_bounds
from sim.result import words

if TYPE_CHECKING:
    from sim.study.planned.certificate import Certificate, Line
    from sim.study.planned.result import Plan, PlannedPool


def verdict(plan: Plan) -> str:
    """The answer in a sentence or two."""
    if not plan.feasible:
        return f"no plan meets it: {plan.reason}"
    first, *others = plan.certificates
    meets = f"{_fleet(plan, first)} {_meet(first)} {_promised(first)} with {words.percent(plan.confidence)} confidence"
    said = [f"{meets} on fresh seeds ({_found(first.worst)})"]
    lowered = [found for found in others if found.lowered is not None]
    said += [_fewer(plan, found) for found in lowered]
    if len(plan.pools) == 1 and any(found.meets is None for found in lowered):
        missing = [found for found in others if found.meets is False and found.replicas < first.replicas]
        said += [_fewer(plan, found) for found in sorted(missing, key=lambda found: -found.replicas)[:1]]
    return "; ".join(said)


def sentences(plan: Plan) -> Iterator[str]:
    """All that is told below the verdict."""
    if plan.feasible:
        for pool in plan.pools.values():
            yield from _of_pool(pool)
        if plan.usd_per_hour is not None:
            month = plan.usd_per_hour * 720
            yield f"cost: {words.usd(plan.usd_per_hour)} an hour, {words.usd(month)} a month of 30 days"
        else:
            yield "cost: not known, as a pool has no price (pools.NAME.price, or a GPU with one)"
    for note in plan.notes:
        yield f"note: {note}"
    if len(plan.considered) > 1:
        yield "considered:"
        for one in plan.considered:
            numbers = "" if one.fleet is None else f" {words.replicas(one.fleet)}"
            paid = ""
            if one.usd_per_hour is not None:
                priced = all(pool.priced for pool in plan.scenario.pools.values())
                paid = (
                    f" for {words.usd(one.usd_per_hour)} an hour"
                    if priced
                    else f" on {words.plural(round(one.usd_per_hour), 'GPU')}"
                )
            yield f"  {one.told}:{numbers}{paid}{'; ' if numbers else ' '}{one.outcome}"
    for unfit in plan.unfit:
        yield f"cannot be built: {unfit.told}: {unfit.why}"
    yield (
        f"{plan.runs:,} runs of {plan.requests:,} requests; the certificates are of seed {plan.fresh_seed} "
        f"(`fleetcast run FILE --set seed={plan.fresh_seed} --replications N` makes the same runs)"
    )


def _of_pool(pool: PlannedPool) -> Iterator[str]:
    design, spares = pool.design, pool.spares
    many = f"min_replicas {pool.replicas:,}" if design.elastic else words.plural(pool.replicas, "replica")
    yield f"pool {pool.name}: {many}, {words.plural(design.gpus(pool.replicas), 'GPU')} ({design.told})"
    if spares is not None:
        yield f"  to keep the promises: {spares.need:,}"
        yield f"  to survive {spares.domain} (of up to {spares.per_domain:,}): {spares.spare:,} more"
        yield f"  total: {spares.total:,}, of which {spares.left:,} are left"


def _fleet(plan: Plan, found: Certificate) -> str:
    if len(found.fleet) == 1:
        ((name, count),) = found.fleet.items()
        noun = plan.pools[name].design.replicas_in_words
        return f"{noun} {count:,}" if noun == "min_replicas" else words.plural(count, "replica")
    return " and ".join(f"{count:,} in {name}" for name, count in found.fleet.items())


def _meet(found: Certificate) -> str:
    return "meets" if found.replicas == 1 else "meet"


def _promised(found: Certificate) -> str:
    if len(found.lines) == 1:
        return _promise(found.lines[0])
    return f"all {len(found.lines)} objectives (nearest to a miss: {_promise(found.worst)})"


def _promise(line: Line) -> str:
    return f"{words.percent(line.promise.share)} of {line.promise.told}"


def _found(line: Line) -> str:
    share, around = share_and_bounds(line)
    return f"attained {share}, {around}"


def _fewer(plan: Plan, found: Certificate) -> str:
    where = f"{_fleet(plan, found)}" if len(found.fleet) == 1 else f"one fewer in {found.lowered}"
    if found.meets is False:
        by = "" if found.decided_by == "simulation" else f"; by theory {found.worst.exact:.2%}"
        does = "does not" if found.replicas == 1 or len(found.fleet) > 1 else "do not"
        return f"{where} {does} ({words.share_beside(found.worst.attained, found.worst.promise.share)}{by})"
    return f"of {where} it is not decided ({_found(found.worst)}: {found.why})"
