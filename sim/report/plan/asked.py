"""What is asked and for whom: the decision and its date, the scope, the demand, the performance model."""

from __future__ import annotations

from collections.abc import Iterator

from sim.report.page.document import Section
from sim.report.plan.demand_picture import demand_picture
from sim.report.plan.said import MONTH_H, fleet, objective
from sim.report.tables.table import Table
from sim.result import words
from sim.result.twin.traffic import horizon_of, traffic_of
from sim.scenario import Pool, Scenario
from sim.study.planned.dossier import Dossier
from sim.study.purchased.purchases import Purchases


def decision(dossier: Dossier) -> Section:
    """What somebody is to say yes to, and until when."""
    plan = dossier.plan
    if not plan.feasible:
        return Section("Decision requested", (f"None: no plan keeps what is promised. {_sentence(plan.reason)}",))
    pools = "; ".join(f"{name}: {fleet(pool)}" for name, pool in plan.pools.items())
    cost = ""
    if plan.usd_per_hour is not None:
        cost = f" It costs {words.usd(plan.usd_per_hour)} an hour, {words.usd(plan.usd_per_hour * MONTH_H)} a month."
    run = f"Run {pools}.{cost}"
    bought = dossier.purchases
    if bought is None:
        when = "The scenario names no purchase that has to be ordered ahead (plan.over_time), so there is no last day."
        return Section("Decision requested", (run, when))
    open_ = () if dossier.feasible else (f"Not to be decided as it stands: {dossier.reason}.",)
    return Section("Decision requested", (*open_, f"For today's load: {run[:1].lower()}{run[1:]}", *_to_buy(bought)))


def _to_buy(bought: Purchases) -> Iterator[str]:
    dates = sorted([(each.order_by, f"{each.gpus} {each.gpu} {each.option}") for each in bought.orders])
    dates += sorted((each.order_by, f"{each.option} of {words.usd(each.usd_per_h)} an hour") for each in bought.pledges)
    if not dates:
        yield "Nothing has to be committed to: all of it is had by the hour, as it is needed."
        return
    dates.sort()
    day, what = dates[0]
    told = f"Commit to what stands in the timeline below; the first is due by {day}: {what}."
    late = sum(order.is_late for order in bought.orders)
    if late:
        told += f" {words.plural(late, 'order')} would have been due before the plan begins: see the timeline."
    yield told
    yield (
        f"The months of the plan cost {words.usd(bought.usd_expected)} as expected, {words.usd(bought.usd_p90)} if "
        "demand is as high as one time in ten."
    )


def scope(dossier: Dossier) -> Section:
    """What the plan is about, what is promised, and what the fleet must survive."""
    scenario = dossier.scenario
    about = [f"{scenario.name}: {scenario.description}" if scenario.description else scenario.name]
    survive = scenario.plan.survive if scenario.plan is not None else None
    spared = [pool.spares for pool in dossier.plan.pools.values() if pool.spares is not None]
    if survive is None:
        intent = "Redundancy: none is asked for. The count is what the promises take; any loss may break them."
    elif spared:
        intent = (
            f"Redundancy: the fleet is to survive {spared[0].domain}, and keep what is promised with what is left. "
            "What fails together is counted together, a node or a zone, never a GPU alone."
        )
    else:
        intent = "Redundancy: asked for, but no fleet was found to add it to."
    rows = tuple((objective(target),) for target in scenario.slo)
    return Section(
        "Scope, promises and redundancy", (*about, intent), tables=(Table("Promised", ("objective",), rows),)
    )


def demand(dossier: Dossier) -> Section:
    """How much comes, and how sure that is."""
    scenario, horizon_s = dossier.scenario, horizon_of(dossier.scenario)
    rows = []
    for name in scenario.workload.stream_names:
        traffic = traffic_of(scenario, [name], horizon_s)
        for part in traffic.parts:
            law = "a trace" if part.arrivals is None else str(part.arrivals.kind)
            tokens = (words.count(part.work.prompt), words.count(part.work.output)) if part.work.prompt else ("", "")
            peak = traffic.peak_per_s
            rows.append((name, law, f"{part.rate_per_s:.3g}/s", f"{peak:.3g}/s", *tokens))
    heading = ("stream", "arrivals", "mean rate", "highest mean rate", "prompt tokens", "output tokens")
    tables = [Table("Requests", heading, tuple(rows))]
    text = [f"The workload is that of the scenario over {words.duration(horizon_s)}."]
    bought = dossier.purchases
    if bought is None:
        text.append(
            "It is taken as it is: no growth, no forecast (plan.over_time). What other demand would do to the plan "
            "stands under sensitivity."
        )
        return Section("Demand", tuple(text), tables=tuple(tables))
    text.append(
        "Months ahead are factors of that workload. P50 is as likely too high as too low; P90 is exceeded one time in "
        "ten."
    )
    return Section(
        "Demand",
        tuple(text),
        tables=(*tables, *_months(bought)),
        figures=(demand_picture(bought),),
        items=tuple(str(note) for note in bought.demand["notes"]),
    )


def _months(bought: Purchases) -> Iterator[Table]:
    events = bought.demand["events"]
    rows = tuple(
        (
            month.month,
            *(f"{month.demand_factor[name]:.3g}" for name in ("p10", "p50", "p90")),
            *(f"{event['factors'][place]:.3g}" for event in events),
        )
        for place, month in enumerate(bought.months)
    )
    launches = tuple(f"{event['name']} ({words.share(event['probability'])})" for event in events)
    yield Table("Demand by month, of today's", ("month", "P10", "P50", "P90", *launches), rows)


def performance(dossier: Dossier) -> Section:
    """Where iteration times come from, and how far they were off where somebody measured."""
    pools = {name: pool.design.pool for name, pool in dossier.plan.pools.items()} or dossier.scenario.pools
    rows = tuple((name, *_law(pool)) for name, pool in pools.items())
    table = Table("Where times come from", ("pool", "source", "figures", "measured error"), rows)
    text = "An error of the model moves every number here: the sensitivity below says how far."
    return Section("Performance model", (text,), tables=(table,))


def _law(pool: Pool) -> tuple[str, str, str]:
    facts = pool.law_facts
    if facts is None:
        return "service times", "drawn from the workload's law of service", "not measured: it is an assumption"
    about = str(facts["about"])
    return str(facts["source"]), about, _error(pool, str(facts["source"]), about)


def _error(pool: Pool, source: str, about: str) -> str:
    model = pool.model
    if source == "calibrated" and model is not None:
        row = next(each for each in model.calibrations if each.source == about)
        runs = words.plural(row.experiments, "measured run")
        if row.held_out_error_share is not None:
            return f"{words.share(row.held_out_error_share)} of the time per token on runs held out ({runs})"
        if row.tpot_error_share is not None:
            return f"{words.share(row.tpot_error_share)} of the time per token on the {runs} behind it"
        return f"not stated; {runs} behind it"
    if source == "operators" and model is not None:
        row_of = next(each for each in model.operators if each.source == about)
        told = [
            f"{words.share(error)} {what}"
            for error, what in (
                (row_of.decode_error_share, "of decoding"),
                (row_of.mixed_error_share, "of mixed iterations"),
            )
            if error is not None
        ]
        return " and ".join(told) or "not stated"
    if source == "roofline":
        return "not measured for this model on this GPU (fleetcast calibrate takes a benchmark of yours)"
    return "not measured: the scenario gives it"


def _sentence(said: str) -> str:
    """With a capital at its beginning and a stop at its end."""
    return said[:1].upper() + said[1:].rstrip(".") + "."


def title(scenario: Scenario) -> str:
    """What a document is called."""
    return f"Capacity plan: {scenario.name}"
