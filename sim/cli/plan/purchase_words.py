"""What `fleetcast plan` says of a plan over time: what to order by when, the months, what it costs, what may fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sim.result import words

if TYPE_CHECKING:
    from sim.study.purchased.purchases import MonthPlan, Order, Purchases


def purchase_sentences(plan: Purchases) -> Iterator[str]:
    """All of it, a line each."""
    yield ""
    yield f"over {len(plan.months)} months: {_cost(plan)}"
    for order in plan.orders:
        yield f"  {_order(order)}"
    for pledge in plan.pledges:
        spent = f"{words.usd(pledge.usd_per_h)} an hour ({pledge.option})"
        yield f"  commit to {spent} by {pledge.order_by}, for {pledge.holds_from} to {pledge.holds_until}"
    if not plan.orders and not plan.pledges:
        yield "  nothing is worth committing to: all is had by the hour"
    yield "  month    demand  replicas (p50, p90)  GPUs                                expected    P(short)"
    for month in plan.months:
        yield f"  {_month(plan, month)}"
    last = plan.waterfalls[-1]
    yield f"  the {last.replicas} replicas of {last.site} in {last.month}:"
    for line in last.lines:
        if line.replicas:
            yield f"    {line.replicas:>4} {line.what}: {line.why}"
    yield f"  {_verified(plan)}"
    for note in plan.notes:
        yield f"  note: {note}"


def _cost(plan: Purchases) -> str:
    told = f"{words.usd(plan.usd_expected)} expected, {words.usd(plan.usd_p90)} at P90 of demand"
    if plan.usd_without_commitments is not None and plan.usd_without_commitments > plan.usd_expected:
        told += f"; {words.usd(plan.usd_without_commitments)} if all were had by the hour"
    if plan.usd_after > 0:
        told += f"; {words.usd(plan.usd_after)} is committed to beyond them"
    return told


def _order(order: Order) -> str:
    where = f" in {order.region}" if order.region else ""
    late = " (LATE: that is before the plan begins)" if order.is_late else ""
    when = f"by {order.order_by}{late}, for {order.holds_from} to {order.holds_until}"
    return f"order {order.gpus:,} {order.gpu}{where} ({order.option}) {when}: {order.because}"


def _month(plan: Purchases, month: MonthPlan) -> str:
    mean: dict[str, float] = {}
    for layer in plan.layers:
        if layer.month == month.month:
            mean[layer.layer] = mean.get(layer.layer, 0.0) + layer.gpus
    gpus = ", ".join(f"{count:,.4g} {name.replace('_', ' ')}" for name, count in mean.items())
    replicas = ", ".join(str(sum(each[name] for each in month.replicas.values())) for name in ("p50", "p90"))
    usd = words.usd(month.usd_expected)
    demand = f"{month.demand_factor['p50']:.3g}x"
    return f"{month.month:<8} {demand:<7} {replicas:<20} {gpus:<35} {usd:<11} {month.probability_short:.1%}"


def _verified(plan: Purchases) -> str:
    failed = sum(each.meets is False for each in plan.verified)
    short = sum(each.meets is None for each in plan.verified)
    told = f"{len(plan.verified)} months of demand scenarios simulated on fresh seeds in {len(plan.rounds)} rounds"
    if failed:
        told += f": {failed} miss a promise"
        late = sum(each.by_policy for each in plan.verified)
        told += f", {late} of them by what the autoscaler does, not for lack of replicas" if late else ""
    elif not short:
        told += ": all keep the promises"
    if short:
        told += f"; {short} are short, by quotas, lead times or the risk that is allowed"
    return told
