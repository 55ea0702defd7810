"""What may still go wrong and how it would show, what is assumed, and how to get the same document again."""

from __future__ import annotations

from collections.abc import Iterator

from sim.report.page.document import Section
from sim.report.plan.money import ranked
from sim.report.plan.said import attained
from sim.report.tables.table import Table
from sim.result import words
from sim.result.provenance import software
from sim.result.twin.traffic import horizon_of, traffic_of
from sim.scenario import Scenario
from sim.study.planned.dossier import Dossier
from sim.study.sensitivity.tornado import Swing

MOST = 8


def risks(dossier: Dossier) -> Section:
    """Each risk with what shows that it has come, and what to do then."""
    body = tuple(_risks(dossier))[:MOST]
    return Section("Risks and triggers", tables=(Table("Risks", ("risk", "trigger", "then"), body),))


def _risks(dossier: Dossier) -> Iterator[tuple[str, str, str]]:
    scenario = dossier.scenario
    traffic = traffic_of(scenario, list(scenario.workload.stream_names), horizon_of(scenario))
    peak = traffic.peak_per_s if traffic.parts else 0.0
    grown = _swing(dossier, "demand", "+20%")
    if peak:
        kept = grown is not None and not _misses(scenario, grown)
        told = "demand above what was planned for"
        if grown is not None:
            told = f"demand grows: a fifth more gives {attained(scenario.slo, grown)} with this fleet"
        yield (
            told,
            f"more than {(1.2 if kept else 1.1) * peak:.3g} requests a second over an hour, twice in a week",
            "plan again with that rate",
        )
    for each in dossier.drills or ():
        if each.state in ("recovered", "open"):
            what = each.drill.name
            yield (
                f"{what}: {each.verdict.split(': ', 1)[1]}",
                f"{what} seen in production, or announced",
                ("spares (plan.survive), limits on queues and retries, or the risk is taken knowingly"),
            )
    if dossier.tornado is not None:
        for swing in ranked(dossier.tornado):
            missed = swing.assumption not in ("demand", "GPU price") and _misses(scenario, swing)
            if missed:
                what = f"{swing.assumption} {swing.told}: {attained(scenario.slo, swing)} with this fleet"
                yield (
                    what,
                    f"{swing.assumption} measured in production off by half of that",
                    "plan again with what was measured",
                )
    bought = dossier.purchases
    if bought is not None:
        worst = max(bought.months, key=lambda month: month.probability_short)
        yield (
            f"short of GPUs in {worst.month} with a probability of {words.share(worst.probability_short)}",
            f"demand above {worst.demand_factor['p90']:.3g} times today's before {worst.month}",
            "bring orders forward; the next plan with that demand says which",
        )
    undecided = [found for found in dossier.plan.certificates if found.meets is None]
    if undecided:
        yield "a certificate is not decided", undecided[0].why, "a larger --budget, or a wider tolerance"


def _swing(dossier: Dossier, assumption: str, told: str) -> Swing | None:
    if dossier.tornado is None:
        return None
    found = (each for each in dossier.tornado.swings if (each.assumption, each.told) == (assumption, told))
    return next((each for each in found if not each.why_not), None)


def _misses(scenario: Scenario, swing: Swing) -> bool:
    pairs = zip(scenario.slo, swing.attained, strict=True)
    return any(each is not None and each.other < target.share for target, each in pairs)


def assumptions(dossier: Dossier) -> Section:
    """What the numbers rest on that nobody has measured here."""
    return Section("Assumptions", items=tuple(_assumptions(dossier)))


def _assumptions(dossier: Dossier) -> Iterator[str]:
    scenario, plan = dossier.scenario, dossier.plan
    yield f"Traffic is as the scenario says over {words.duration(horizon_of(scenario))}; each run draws it anew."
    pools = {name: pool.design.pool for name, pool in plan.pools.items()} or dict(scenario.pools)
    for name, pool in pools.items():
        price = pool.listed
        if price is None:
            yield f"{name}: no price is known."
        else:
            source = (
                f" ({price.source}{', read ' + price.as_of if price.as_of else ''})" if price.source else " (given)"
            )
            yield f"{name}: {words.usd(price.on_demand)} for a GPU-hour on demand{source}."
        boot = (
            "ready the moment it is ordered"
            if pool.stages.is_instant
            else f"ready after {words.duration(pool.stages.mean_s(pool.weight_bytes))} on average"
        )
        yield f"{name}: a new replica is {boot}."
    if scenario.contracts:
        yield (
            "The bill at today's load is that of the contracts in the scenario: " + ", ".join(scenario.contracts) + "."
        )
    yield "A month has 30 days and 720 hours in prices an hour; months of the calendar have their own."
    yield from (f"{note[:1].upper()}{note[1:].rstrip('.')}." for note in plan.notes)
    if dossier.purchases is not None:
        yield from (f"{note[:1].upper()}{note[1:].rstrip('.')}." for note in dossier.purchases.notes)


def again(dossier: Dossier, command: str) -> Section:
    """What makes the same document again."""
    plan = dossier.plan
    made = ", ".join(f"{name} {version}" for name, version in software().items())
    facts = (
        f"Scenario: {plan.scenario.digest} (SHA-256 of the resolved file).",
        f"Seeds: {plan.seed} for the search, {plan.fresh_seed} for the certificates"
        + "".join(f", {seed} for {what}" for what, seed in seeds(dossier))
        + ".",
        f"Simulated for the plan: {words.plural(plan.runs, 'run')}, {words.plural(plan.requests, 'request')}.",
        f"Made with {made}.",
    )
    after = "What was planned for stands in plan.json (key scenario); the fleet that was chosen is planned.yaml."
    return Section("The same again", items=facts, commands=(command,), after=(after,))


def seeds(dossier: Dossier) -> Iterator[tuple[str, int]]:
    """What was run beside the search and the certificates, and with which seed."""
    runs = next((each for each in dossier.drills or () if each.runs), None)
    if runs is not None:
        yield "the drills", runs.seed
    if dossier.tornado is not None:
        yield "the sensitivity", dossier.tornado.seed
