"""What `fleetcast sweep` says: a row a run, and the answer of a search in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from sim.result import words
from sim.result.recovery import RECOVERED
from sim.result.verdict import whose
from sim.study.cheapest import priced

if TYPE_CHECKING:
    from rich.table import Table

    from sim.study.cheapest import Cheapest, Cost
    from sim.study.sweep import Run
    from sim.study.turning import Found

HELD = {"trigger": "leaves the service collapsed", "escape": "lets the service recover"}


def runs_table(keys: Sequence[str], runs: Sequence[Run], best: Cheapest | None = None) -> Table:
    """One row a run: the values of its keys, then the main numbers; `best` is marked."""
    from sim.cli.plain import table

    made = table()
    for key in keys:
        made.add_column(_short(key, keys), justify="right")
    columns = _columns(runs)
    for head in columns:
        made.add_column(head, justify="right")
    if best is not None:
        made.add_column("")
    for run in runs:
        values = [run.values[key] for key in keys]
        cells = ["failed"] if run.summary is None else [say(run.metrics) for say in columns.values()]
        cells += ["← cheapest"] if best is not None and best.cost.values.items() <= run.values.items() else []
        made.add_row(*values, *cells)
    return made


_Say = Callable[[dict[str, Any]], str]


def _columns(runs: Sequence[Run]) -> dict[str, _Say]:
    """The numbers of each run, by their heading: retries, bursts and slowness only where a run has some."""
    targets: list[dict[str, Any]] = next((run.summary["slo"] for run in runs if run.summary is not None), [])
    made: dict[str, _Say] = {}
    for place, target in enumerate(targets):
        made[_head(target, made)] = partial(_attained, place)
    made |= {
        "TTFT p99": lambda found: words.duration(found["ttft_s_p99"]),
        "completed": lambda found: words.share(found["completed_share"]),
        "goodput": _goodput,
        "attempts": lambda found: words.count(found["attempts_per_request"]),
    }
    metrics = [run.metrics for run in runs if run.summary is not None]
    if all(found["attempts_per_request"] in (None, 1) for found in metrics):
        del made["attempts"]
    made["fleet a day" if priced(runs) else "a day"] = lambda found: words.usd(found["usd_per_day"])
    if priced(runs):
        made |= {
            "slowness": lambda found: words.usd(found["slowness_usd_per_day"]),
            "together": lambda found: words.usd(found["fleet_plus_slowness_usd_per_day"]),
        }
    dull = (None, RECOVERED) if priced(runs) else (None,)
    back = all(found["recovery"] in dull for found in metrics)
    return made if back else made | {"after the burst": _recovery}


def _head(target: dict[str, Any], made: Mapping[str, _Say]) -> str:
    """The heading of an objective; two of them may promise the same to different users."""
    head = f"{target['metric'].upper()} ≤ {words.duration(target['under_s'])}"
    return head if head not in made else f"{head}, {words.percent(target['share'])} of {whose(target)}"


def _attained(place: int, found: dict[str, Any]) -> str:
    return words.share(found["attained"][place])


def _goodput(found: dict[str, Any]) -> str:
    goodput = found["goodput_per_s"]
    return words.MISSING if goodput is None else f"{goodput:.3g}/s"


def cheapest_sentences(keys: Sequence[str], runs: Sequence[Run], best: Cheapest | None) -> list[str]:
    """Which run costs least and what its neighbours cost; nothing without a price of slowness."""
    if best is None:
        unpriced = priced(runs) and any(run.metrics.get("usd_per_day", 0.0) is None for run in runs)
        return ["No cheapest point: a pool has no price; give it one (pools.NAME.price)."] if unpriced else []
    cost = best.cost
    at = _at(keys, cost)
    seeds = f" (means of {cost.runs} seeds)" if cost.runs > 1 else ""
    said = [
        f"Cheapest: {at} at {words.usd(cost.together_usd)} a day: {words.usd(cost.fleet_usd)} fleet + "
        f"{words.usd(cost.slowness_usd)} slowness{_beside(best)}{seeds}."
    ]
    if not cost.within_slo:
        within = best.within_slo
        least = "no other meets it either" if within is None else ""
        if within is not None:
            least = f"the cheapest that meets it is {_at(keys, within)} at {words.usd(within.together_usd)}"
        said.append(f"It misses the SLO; {least}.")
    if best.curve is not None and best.curve.at_end is not None:
        which = "smallest" if best.curve.at_end == "low" else "largest"
        more = f"--over {best.curve.wider}" if best.curve.wider else f"{which[:-3]}er values"
        said.append(f"That is the {which} value that was tried, and beyond it may be cheaper: try {more}.")
    return said


def _at(keys: Sequence[str], cost: Cost) -> str:
    return ", ".join(f"{_short(key, keys)}={value}" for key, value in cost.values.items())


def _beside(best: Cheapest) -> str:
    parts = [
        f"{value} costs {words.usd(beside.together_usd)}"
        for beside in (best.less, best.more)
        if beside is not None
        for value in beside.values.values()
    ]
    return f"; {' and '.join(parts)}" if parts else ""


def _recovery(found: dict[str, Any]) -> str:
    """What became of the service after a burst."""
    if found["recovery"] == "recovered":
        return f"back in {words.duration(found['recovered_after_s'])}"
    return "no burst" if found["recovery"] is None else str(found["recovery"])


def _short(key: str, keys: Sequence[str]) -> str:
    """The end of a dotted path that tells it from the others."""
    steps = key.split(".")
    for count in range(1, len(steps)):
        end = ".".join(steps[-count:])
        if sum(other == end or other.endswith(f".{end}") for other in keys) == 1:
            return end
    return key


def failures(runs: Sequence[Run]) -> list[str]:
    """Why runs have failed, a line each."""
    return [
        f"error: {', '.join(f'{key}={value}' for key, value in run.values.items())}: {run.error}"
        for run in runs
        if run.error is not None
    ]


def sentences(found: Found) -> list[str]:
    """The answer, what it rests on, and what contradicts it."""
    along, text = found.along, found.along.text
    ends = f"{text(along.mild)} to {text(along.severe)}"
    runs = words.plural(len(found.runs), "run")
    held = HELD[found.what]
    if found.bracket is None:
        return [f"Nothing from {ends} {held}: {along.key}, {runs}."]
    without, first = found.bracket
    if without == first:
        said = [f"{along.key}={text(first)}, the first value of the range, {held} already ({runs})."]
    else:
        adjective = "smallest" if found.what == "trigger" and along.mild < along.severe else "first"
        adjective = "mildest" if found.what == "escape" else adjective
        said = [
            f"{along.key}={text(first)} is the {adjective} value found that {held}; {text(without)} does not "
            f"({runs}, {ends})."
        ]
    if found.against:
        told = ", ".join(text(value) for value in found.against)
        said.append(f"But it is not that simple: {told} contradict{'s' if len(found.against) == 1 else ''} it.")
    return said


def csv_text(runs: Sequence[dict[str, Any]]) -> str:
    """Runs as CSV, from what stands in JSON: the values of the keys, then the main numbers."""
    import csv
    import io

    written = io.StringIO()
    rows = [_flat(run) for run in runs]
    fields = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(written, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue()


def _flat(run: dict[str, Any]) -> dict[str, Any]:
    metrics = dict(run["metrics"] or {})
    attained = metrics.pop("attained", [])
    slo = (run["summary"] or {}).get("slo", [])
    shares = {f"attained.{target['metric']}": share for target, share in zip(slo, attained, strict=True)}
    return {**run["set"], **shares, **metrics, "error": run["error"]}
