"""What it costs, in all and by the unit; and which assumption moves that, and the tail, most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sim.report.page.document import Section
from sim.report.plan.said import METRICS, MONTH_H, nearest
from sim.report.plan.tornado_picture import tornado_picture
from sim.report.tables.table import Table
from sim.result import words
from sim.result.twin.traffic import horizon_of, traffic_of
from sim.scenario import Scenario, Target
from sim.study.compared.compare import Difference
from sim.study.planned.dossier import Dossier
from sim.study.purchased.purchases import Purchases
from sim.study.sensitivity.tornado import Swing, Tornado


def cost(dossier: Dossier) -> Section:
    """The bill of the fleet, and what a request and a token come to."""
    plan = dossier.plan
    if not plan.feasible:
        return Section("Cost", ("No fleet, no cost.",))
    usd = plan.usd_per_hour
    tables = (
        []
        if usd is None
        else [
            Table("The fleet at today's load, spares included", ("what", "USD"), tuple(_units(dossier.scenario, usd)))
        ]
    )
    if dossier.purchases is not None:
        tables += _months(dossier.purchases)
    text = (
        []
        if usd is not None
        else ["A pool has no price (pools.NAME.price, or a GPU that has one), so no cost is told."]
    )
    dearer = [each for each in plan.considered if each.usd_per_hour is not None]
    if len(plan.considered) > 1:
        body = tuple(
            (each.told, _counts(each.fleet), words.usd(each.usd_per_hour) if each in dearer else "", each.outcome)
            for each in plan.considered
        )
        tables.append(Table("What was considered", ("design", "replicas", "USD an hour", "outcome"), body))
    return Section("Cost", tuple(text), tables=tuple(tables))


def _units(scenario: Scenario, usd: float) -> Iterator[tuple[str, str]]:
    yield "an hour", words.usd(usd)
    yield "a month of 30 days", words.usd(usd * MONTH_H)
    yield "a year", words.usd(usd * 8760)
    traffic = traffic_of(scenario, list(scenario.workload.stream_names), horizon_of(scenario))
    rate = traffic.rate_per_s
    if rate:
        yield "1,000 requests", words.usd(usd / 3600 / rate * 1000)
    tokens = sum(part.rate_per_s * part.work.output for part in traffic.parts)
    if tokens:
        yield "a million output tokens", words.usd(usd / 3600 / tokens * 1e6)


def _months(bought: Purchases) -> Iterator[Table]:
    body = [
        (
            month.month,
            words.usd(month.usd_expected),
            words.usd(month.usd_p50),
            words.usd(month.usd_p90),
            words.share(month.probability_short),
        )
        for month in bought.months
    ]
    total = ("all", *(words.usd(each) for each in (bought.usd_expected, bought.usd_p50, bought.usd_p90)), "")
    yield Table("By month", ("month", "expected", "P50", "P90", "probability of being short"), (*body, total))
    rows = [("still to be paid after the last month", words.usd(bought.usd_after))]
    if bought.usd_without_commitments is not None:
        saved = bought.usd_without_commitments - bought.usd_expected
        rows.append(("everything by the hour instead", words.usd(bought.usd_without_commitments)))
        rows.append(("saved by commitments", words.usd(saved)))
    yield Table("Commitments", ("what", "USD"), tuple(rows))


def _counts(fleet: object) -> str:
    return ", ".join(f"{count:,}" for count in fleet.values()) if isinstance(fleet, dict) else ""


def sensitivity(dossier: Dossier) -> Section:
    """The tornado: a picture and its table."""
    found = dossier.tornado
    if found is None:
        return Section("Sensitivity", ("Not looked at.",))
    text = (
        "One assumption at a time is otherwise, on the same random numbers: the fleet is kept, and its "
        f"{found.quantile} {_name(found)} and attainment move. What it would take if it were planned again is a first "
        "look by theory, "
        "at list prices; a plan of that scenario tells for sure.",
    )
    swings = ranked(found)
    body = tuple(_row(found, swing, dossier.scenario.slo) for swing in swings)
    heading = (
        "assumption",
        "change",
        f"{found.quantile} {_name(found)}",
        "nearest to a miss",
        "USD an hour",
        "replicas again",
        "USD an hour again",
    )
    untried = tuple(f"Not tried: {each.assumption} ({each.why_not})." for each in _once(found))
    figures = (tornado_picture(found, swings),) if swings else ()
    table = Table("With one assumption otherwise", heading, body)
    return Section("Sensitivity", text, tables=(table,), figures=figures, after=untried)


def ranked(found: Tornado) -> tuple[Swing, ...]:
    """The swings that were tried, those of the assumption that moves most first."""
    tried = [each for each in found.swings if not each.why_not]
    size = {
        name: max(_size(found, each) for each in tried if each.assumption == name)
        for name in {e.assumption for e in tried}
    }
    return tuple(sorted(tried, key=lambda each: -size[each.assumption]))


def _size(found: Tornado, swing: Swing) -> float:
    """How far it moves the tail or the cost, whichever is more, as a share."""
    moved = [abs(swing.tail.more.estimate) / found.tail_s] if swing.tail is not None and found.tail_s else []
    if swing.usd_per_hour is not None and found.usd_per_hour:
        moved.append(abs(swing.usd_per_hour.more.estimate) / found.usd_per_hour)
    if swing.usd_per_hour_again is not None and found.usd_per_hour_again:
        moved.append(abs(swing.usd_per_hour_again / found.usd_per_hour_again - 1))
    return max(moved, default=0.0)


def _once(found: Tornado) -> list[Swing]:
    """One of each assumption that was not tried."""
    return list({each.assumption: each for each in reversed(found.swings) if each.why_not}.values())[::-1]


def _row(found: Tornado, swing: Swing, targets: Sequence[Target]) -> tuple[str, ...]:
    found_at = nearest(targets, swing)
    worst = words.MISSING
    if found_at is not None:
        target, share = found_at
        worst = f"{words.share_beside(share, target.share)} {METRICS[target.metric]}"
    again = "" if swing.replicas is None else ", ".join(f"{count:,}" for count in swing.replicas.values())
    usd = None if swing.usd_per_hour is None else swing.usd_per_hour.other
    return (
        swing.assumption,
        swing.told,
        _moved(swing.tail),
        worst,
        words.usd(usd),
        again,
        "" if swing.usd_per_hour_again is None else words.usd(swing.usd_per_hour_again),
    )


def _moved(found: Difference | None) -> str:
    if found is None:
        return words.MISSING
    sign = "+" if found.more.estimate > 0 else ""
    more = f"{sign}{words.duration(found.more.estimate)}" if found.is_distinguishable else "no clear change"
    return f"{words.duration(found.other)} ({more})"


def _name(found: Tornado) -> str:
    return METRICS[found.metric]
