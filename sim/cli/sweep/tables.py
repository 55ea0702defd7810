"""What `fleetcast sweep` says: a row a run, and the answer of a search in words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from sim.config.tails import tail
from sim.report.tables.table import Table as Sheet
from sim.result import words
from sim.result.recovery import RECOVERED
from sim.result.verdict import whose
from sim.study.swept.cheapest import priced
from sim.study.swept.metrics import called, teller

if TYPE_CHECKING:
    from rich.table import Table

    from sim.report.tables.sparklines import Sparkline
    from sim.study.swept.cheapest import Cheapest, Cost
    from sim.study.swept.sweep import Run
    from sim.study.swept.turning import Found

_FEWEST = 4
"""Points of which a picture says more than their numbers."""
HELD = {"trigger": "leaves the service collapsed", "escape": "lets the service recover"}


def runs_table(
    keys: Sequence[str], runs: Sequence[Run], best: Cheapest | None = None, metrics: Sequence[str] = ()
) -> Table:
    """One row a point: the values of its keys, then the main numbers, or those asked for; `best` is marked."""
    from sim.cli.shared.plain import table

    made = table()
    for key in keys:
        made.add_column(_short(key, _known(keys, runs)), justify="right")
    columns = _asked(metrics) if metrics else _columns(runs)
    for head in columns:
        made.add_column(head, justify="right")
    if best is not None:
        made.add_column("")
    for run in runs:
        values = [run.values.get(key, "") for key in keys]
        cells = ["failed"] if run.summary is None else [say(run) for say in columns.values()]
        cells += ["← cheapest"] if best is not None and best.cost.values.items() <= run.values.items() else []
        made.add_row(*values, *cells)
    return made


def plain_table(
    keys: Sequence[str], runs: Sequence[Run], best: Cheapest | None = None, metrics: Sequence[str] = ()
) -> Sheet:
    """The same as plain words, for the report."""
    columns = _asked(metrics) if metrics else _columns(runs)
    rows = []
    for run in runs:
        cells = ["failed"] * len(columns) if run.summary is None else [say(run) for say in columns.values()]
        is_best = best is not None and best.cost.values.items() <= run.values.items()
        values = [run.values.get(key, "") for key in keys]
        rows.append((*values, *cells, *([] if best is None else ["cheapest" if is_best else ""])))
    heading = (*(_short(key, keys) for key in keys), *columns, *([] if best is None else [""]))
    return Sheet("Points", heading, tuple(rows))


_Say = Callable[["Run"], str]


def _columns(runs: Sequence[Run]) -> dict[str, _Say]:
    """The numbers of each point, by their heading: retries, bursts and slowness only where a run has some."""
    targets: list[dict[str, Any]] = next((run.summary["slo"] for run in runs if run.summary is not None), [])
    made: dict[str, _Say] = {}
    for place, target in enumerate(targets):
        made[_head(target, made)] = partial(_attained, place)
    made |= {
        "p99 TTFT": _with_chance("ttft_s_p99", words.duration),
        "completed": lambda run: words.share(run.metrics["completed_share"]),
        "goodput": _with_chance("goodput_per_s", _rate),
        "attempts": _with_chance("attempts_per_request", words.count),
    }
    metrics = [run.metrics for run in runs if run.summary is not None]
    if all(found["attempts_per_request"] in (None, 1) for found in metrics):
        del made["attempts"]
    made["fleet a day" if priced(runs) else "a day"] = _with_chance("usd_per_day", words.usd)
    if priced(runs):
        made |= {
            "slowness": _with_chance("slowness_usd_per_day", words.usd),
            "together": _with_chance("fleet_plus_slowness_usd_per_day", words.usd),
        }
    dull = (None, RECOVERED) if priced(runs) else (None,)
    back = all(found["recovery"] in dull for found in metrics)
    return made if back else made | {"after the burst": lambda run: _recovery(run.metrics)}


def over_key(keys: Sequence[str], runs: Sequence[Run], metrics: Sequence[str] = ()) -> list[Sparkline]:
    """The main numbers over the values of the only key, or those asked for; nothing for fewer than four points."""
    import numpy as np

    from sim.report.tables.sparklines import Sparkline

    if len(keys) != 1 or len(runs) < _FEWEST:
        return []
    told: dict[str, tuple[str, Callable[[float | None], str]]] = {
        called(path) or _short(path, metrics): (path, teller(path)) for path in metrics
    } or {
        "p99 TTFT": ("ttft_s_p99", words.duration),
        "fleet a day" if priced(runs) else "a day": ("usd_per_day", words.usd),
        **({"together": ("fleet_plus_slowness_usd_per_day", words.usd)} if priced(runs) else {}),
    }

    def line(name: str, say: Callable[[float | None], str], pick: Callable[[Run], float | None]) -> Sparkline:
        values = [None if run.summary is None else pick(run) for run in runs]
        return Sparkline(name, np.array([np.nan if value is None else float(value) for value in values]), say)

    targets: list[dict[str, Any]] = next((run.summary["slo"] for run in runs if run.summary is not None), [])
    found = [line(name, say, lambda run, path=path: run.metrics.get(path)) for name, (path, say) in told.items()]  # type: ignore[misc]
    if targets and not metrics:
        found.insert(0, line(_head(targets[0], {}), words.share, lambda run: run.metrics["attained"][0]))
    return [each for each in found if each.varies]


def _asked(metrics: Sequence[str]) -> dict[str, _Say]:
    """The numbers that were asked for, as people call them, else by the end of their path."""
    return {called(path) or _short(path, metrics): _with_chance(path, teller(path)) for path in metrics}


def _with_chance(name: str, tell: Callable[[float | None], str]) -> _Say:
    """A number with half the width of its interval; or how many requests it still needs."""

    def said(run: Run) -> str:
        value, path = run.metrics.get(name), run.paths.get(name, name)
        if value is None:
            lacking = ((run.summary or {}).get("refused") or {}).get(path)
            return tell(None) if lacking is None else f"needs {words.count(lacking)} more"
        return beside(tell, value, run.intervals.get(name))

    return said


def beside(tell: Callable[[float | None], str], value: float, interval: Sequence[float] | None) -> str:
    """A number and how far off it may be."""
    half = 0.0 if interval is None else (interval[1] - interval[0]) / 2
    return f"{tell(value)} ± {tell(float(f'{half:.2g}')).removesuffix('.00')}" if half > 0 else tell(value)


def of_chance(runs: Sequence[Run]) -> list[str]:
    """How many runs are behind the numbers, and what ± says."""
    counts = [run.replications for run in runs if run.summary is not None]
    if not counts or max(counts) == 1:
        return []
    least, most = min(counts), max(counts)
    return [f"{most if least == most else f'{least} to {most}'} runs a point; ± is half of a 95 % interval."]


def _head(target: dict[str, Any], made: Mapping[str, _Say]) -> str:
    """The heading of an objective; two of them may promise the same to different users."""
    head = f"{words.METRICS[target['metric']]} ≤ {words.duration(target['under_s'])}"
    return head if head not in made else f"{head}, {words.percent(target['share'])} of {whose(target)}"


def _attained(place: int, run: Run) -> str:
    value = run.metrics["attained"][place]
    intervals = run.intervals.get("attained")
    return words.share(None) if value is None else beside(words.share, value, intervals and intervals[place])


def _rate(value: float | None) -> str:
    return words.MISSING if value is None else f"{value:.3g}/s"


def cheapest_sentences(keys: Sequence[str], runs: Sequence[Run], best: Cheapest | None) -> list[str]:
    """Which run costs least and what its neighbours cost; nothing without a price of slowness."""
    if best is None:
        unpriced = priced(runs) and any(run.metrics.get("usd_per_day", 0.0) is None for run in runs)
        return ["No cheapest point: a pool has no price; give it one (pools.NAME.price)."] if unpriced else []
    cost = best.cost
    known = _known(keys, runs)
    at = _at(known, cost)
    seeds = f" (means of {cost.runs} seeds)" if cost.runs > 1 else ""
    said = [
        f"Cheapest: {at} at {words.usd(cost.together_usd)} a day: {words.usd(cost.fleet_usd)} fleet + "
        f"{words.usd(cost.slowness_usd)} slowness{_beside(best)}{seeds}."
    ]
    if not cost.within_slo:
        within = best.within_slo
        least = "no other meets it either" if within is None else ""
        if within is not None:
            least = f"the cheapest that meets it is {_at(known, within)} at {words.usd(within.together_usd)}"
        said.append(f"It misses the SLO; {least}.")
    if best.curve is not None and best.curve.at_end is not None:
        which = "smallest" if best.curve.at_end == "low" else "largest"
        more = f"--over {best.curve.wider}" if best.curve.wider else f"{which[:-3]}er values"
        said.append(f"That is the {which} value that was tried, and beyond it may be cheaper: try {more}.")
    return said


def _at(keys: Collection[str], cost: Cost) -> str:
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


def _short(key: str, keys: Collection[str]) -> str:
    """The end of a dotted path that tells it from the others; see `sim.config.tails.tail`."""
    return tail(key, keys)


def _known(keys: Sequence[str], runs: Sequence[Run]) -> set[str]:
    """The keys that are varied, and what they would be called in the other pools, if there are several."""
    pools = next((list(run.summary.get("pools", {})) for run in runs if run.summary is not None), [])
    found = set(keys)
    for key in keys:
        first, _, rest = key.partition(".")
        name = next((name for name in pools if rest.startswith(f"{name}.")), None)
        if first == "pools" and name is not None:
            found |= {f"pools.{other}{rest.removeprefix(name)}" for other in pools}
    return found


def failures(runs: Sequence[Run]) -> list[str]:
    """Why runs have failed, a line each."""
    return [f"error: {run.told}: {run.error}" for run in runs if run.error is not None]


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

    from sim.result.files import cell

    written = io.StringIO()
    rows = [{str(cell(name)): cell(value) for name, value in _flat(run).items()} for run in runs]
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
    intervals = dict(run.get("intervals") or {})
    of_shares = intervals.pop("attained", [None] * len(slo))
    intervals |= {f"attained.{target['metric']}": found for target, found in zip(slo, of_shares, strict=True)}
    ends = {f"{name}.{end}": found[at] for name, found in intervals.items() if found for at, end in enumerate(_ENDS)}
    counted = {"replications": run["replications"]} if "replications" in run else {}
    return {**run["set"], **shares, **metrics, **counted, **ends, "error": run["error"]}


_ENDS = ("low", "high")
