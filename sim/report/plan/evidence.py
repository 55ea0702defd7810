"""How it is known: the certificates with their seeds and commands, the months that were run, the failure drills."""

from __future__ import annotations

from collections.abc import Iterator

from sim.report.page.document import Section
from sim.report.plan.said import command, interval, of_fleet
from sim.report.tables.table import Table
from sim.result import words
from sim.study.planned.certificate import Certificate
from sim.study.planned.dossier import Dossier
from sim.study.purchased.purchases import Purchases

_MEETS = {True: "meets", False: "does not meet", None: "not decided"}
MOST_COMMANDS = 3


def certificates(dossier: Dossier) -> Section:
    """Whether the fleet, and one with a replica fewer, keeps what is promised."""
    plan = dossier.plan
    text = [
        "Each line is a fleet without its spares, run on seeds that the search has not seen. The bounds of all fleets "
        f"of the plan hold together with {words.percent(plan.confidence)} confidence."
    ]
    rows = tuple(row for found in plan.certificates for row in _rows(found))
    heading = (
        "fleet",
        "verdict",
        "objective",
        "promised",
        "attained (bounds)",
        "decided by",
        "runs",
        "requests",
        "seed",
    )
    scenario = dossier.planned
    commands: tuple[str, ...] = ()
    after: tuple[str, ...] = tuple(
        f"Not decided for {of_fleet(found)}: {found.why}." for found in plan.certificates if found.why
    )
    if scenario is not None:
        commands = tuple(command(found, scenario) for found in plan.certificates[:MOST_COMMANDS])
        after += ("The commands make the same runs again, from the file beside this document.",)
    tables = [Table("Certificates", heading, rows)]
    if dossier.purchases is not None:
        tables += _verified(dossier.purchases, len(dossier.scenario.slo))
    return Section("Certificates", tuple(text), tables=tuple(tables), commands=commands, after=after)


def _rows(found: Certificate) -> Iterator[tuple[str, ...]]:
    for line in found.lines:
        yield (
            of_fleet(found),
            _MEETS[line.meets],
            line.promise.told,
            words.percent(line.promise.share),
            interval(line),
            found.decided_by or "",
            f"{found.runs:,}",
            f"{found.requests:,}",
            str(found.seed),
        )


def _verified(bought: Purchases, objectives: int) -> Iterator[Table]:
    """The months that were run; demand scenarios that are run by the same runs stand in one line."""
    names = tuple("attained" if objectives == 1 else f"attained, objective {place + 1}" for place in range(objectives))
    heading = ("month", "site", "of today's demand", "replicas", *names, "verdict", "demand scenarios")
    scenarios: dict[tuple[str, ...], list[str]] = {}
    for each in bought.verified:
        row = (
            each.month,
            each.site,
            f"{each.demand_factor:.3g}",
            ", ".join(f"{count} {gpu}" for gpu, count in each.replicas.items()),
            *(words.share(share) for share in each.attained),
            *("",) * (objectives - len(each.attained)),
            "known to be short, and allowed to" if each.meets is None else _MEETS[each.meets],
        )
        scenarios.setdefault(row, []).append(each.scenario)
    body = tuple(
        (*row, ", ".join(of) if len(of) < 3 else f"{len(of)}: {of[0]} to {of[-1]}") for row, of in scenarios.items()
    )
    yield Table("Months that were simulated with what is to be there, spares left out", heading, body)


def drills(dossier: Dossier) -> Section:
    """What was made to go wrong, and what came of it."""
    made = dossier.drills
    if made is None:
        return Section("Failure drills", ("None was made.",))
    body = tuple(
        (
            each.drill.name,
            f"{each.drill.what}.",
            each.verdict,
            words.duration(each.recovered_after_s) if each.state not in ("cannot", "kept") else "",
            words.share(each.worst.without) if each.objectives else "",
        )
        for each in made
    )
    runs = next((each.runs for each in made if each.runs), 0)
    seed = next((each.seed for each in made if each.runs), 0)
    text = (
        f"Each was run on the fleet as planned, spares included, {words.plural(runs, 'run')} of seed {seed}, beside "
        "the same runs without it.",
    )
    heading = ("drill", "what happens", "what came of it", "as usual after", "without it")
    return Section("Failure drills", text, tables=(Table("Drills", heading, body),))
