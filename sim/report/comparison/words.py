"""What a comparison says in words: a sentence an alternative, and a table of the main numbers.

The intervals of one sentence, and of one table, hold together with 95 % (Bonferroni): with one interval of 95 % each,
one of five numbers that do not differ at all would seem to in every fifth comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sim.config.catalogue import did_you_mean
from sim.config.errors import ConfigError, Problem
from sim.config.tails import keys_of, tail
from sim.report.tables.table import Table
from sim.result import words
from sim.result.verdict import whose
from sim.statistics.intervals import CONFIDENCE
from sim.study.compared.compare import COST, TAIL, WAIT, Comparison, Difference, main_paths
from sim.study.compared.steps import plain
from sim.study.compared.walk import Stride
from sim.study.replicated.replications import Replicated

OPTION = "--metric"
_WORDS = {COST: ("cheaper", "dearer"), TAIL: ("faster", "slower"), WAIT: ("faster", "slower")}
"""When there is less of it, and more."""
_NAMES = {COST: "cost", TAIL: "p99 TTFT", WAIT: "mean wait"}
_METRICS = {"queue_wait": "wait", "ttft": "TTFT", "tpot": "TPOT", "e2e": "E2E"}
_LONGEST = 24
"""Letters of a name at the head of a column."""
_STATISTICS = ("mean", "p50", "p90", "p95", "p99", "p999", "max", "min")


def sentence(baseline_name: str, baseline: Replicated, other: Comparison) -> str:
    """What is to be known of an alternative, most telling first."""
    alike = baseline.intervals.keys() == other.replicated.intervals.keys()  # a pool without its price has fewer
    if alike and all(each.is_same for each in other.differences):
        return f"{baseline_name} and {other.name} give the same numbers in everything."
    found = main(baseline, other)
    name = names(baseline.records[0].summary)
    clear = sorted((each for each in found if each.is_distinguishable), key=_telling, reverse=True)
    same = [name.get(each.path, each.path) for each in found if each.is_same]
    vague = [name.get(each.path, each.path) for each in found if not each.is_same and not each.is_distinguishable]
    told = ", ".join(_clause(each, name) for each in clear)
    if told:
        said = f"{other.name} is {told}" + (f", with the same {_and(same)}" if same else "")
    elif same:
        said = f"{other.name} has the same {_and(same)} as {baseline_name}"
    elif vague:
        return f"{other.name} is not distinguishable from {baseline_name} in {_and(vague)}{_lacking(baseline, other)}."
    else:
        said = f"{other.name} and {baseline_name} have no main number in common"
    return said + (f", {_and(vague)} not distinguishable" if vague else "") + f"{_lacking(baseline, other)}."


def main(baseline: Replicated, other: Comparison) -> list[Difference]:
    """The main differences that can be told, their intervals 95 % together."""
    paths = main_paths(baseline.estimates, other.replicated.estimates)
    return together([found for path in paths if (found := other.of(path)) is not None])


def chosen(other: Comparison, wanted: Sequence[str]) -> list[Difference]:
    """The differences of these paths, or below them, their intervals 95 % together. Raises `ConfigError`."""
    found: list[Difference] = []
    for path in wanted:
        below = [each for each in other.differences if each.path == path or each.path.startswith(f"{path}.")]
        if not below:
            known = [each.path for each in other.differences]
            told = f"'{path}' is no number that both scenarios have{did_you_mean(path, known)}"
            raise ConfigError(Problem(f"{told} (all are in --json)", OPTION))
        found += [each for each in below if each not in found]
    return together(found)


def together(found: Sequence[Difference]) -> list[Difference]:
    """These with intervals that hold together with 95 %."""
    confidence = 1 - (1 - CONFIDENCE) / max(len(found), 1)
    return [each.at(confidence) for each in found]


def refused(baseline: Replicated, other: Comparison) -> dict[str, int]:
    """The main quantiles that cannot be told, and how many more requests each takes."""
    lacking: dict[str, int] = {}
    for path in main_paths(baseline.estimates, other.replicated.estimates):
        of = [found.estimates.missing.get(path, 0) for found in (baseline, other.replicated)]
        if max(of) and other.of(path) is None:
            lacking[path] = max(of)
    return lacking


def table(
    baseline_name: str, baseline: Replicated, other: Comparison, found: Sequence[Difference], with_refused: bool = True
) -> Table:
    """A row a number: of the baseline, of the other, the difference, and its interval or what is to be said instead."""
    name = names(baseline.records[0].summary)
    rows = [
        (
            _brief(name.get(each.path, each.path)),
            value(each.path, each.baseline),
            value(each.path, each.other),
            *difference(each),
        )
        for each in found
    ]
    if with_refused:
        for path, lacking in refused(baseline, other).items():
            needs = f"needs {words.plural(lacking, 'more request')}"
            rows.append((_brief(name.get(path, path)), words.MISSING, words.MISSING, "", needs))
    one, two = _heads(baseline_name, other.name)
    return Table(other.name, ("", one, two, "difference", "interval"), tuple(rows))


def _heads(baseline_name: str, name: str) -> tuple[str, str]:
    """Heads of their columns: names that are too long lose what is in brackets, or are letters."""
    said = [(told, told.partition(" (")[0], letter) for told, letter in ((baseline_name, "A"), (name, "B"))]
    one, two = (next(each for each in tries if len(each) <= _LONGEST) for tries in said)
    return (one, two) if one != two else ("A", "B")


def walk_table(baseline: Replicated, strides: Sequence[Stride]) -> Table:
    """A row a change: what it adds to cost, tail and attainments; the last row: all together, their exact sum."""
    name = names(baseline.records[0].summary)
    paths = walk_paths(baseline, strides)
    made_keys = [change.key for stride in strides for change in stride.step.changes]
    known = {*keys_of(plain(baseline.scenario)), *made_keys}
    short = {key: tail(key, known) for key in made_keys}
    rows = []
    for stride in strides:
        added = together([found for path in paths if (found := stride.of(path)) is not None])
        made = "\n".join(change.text.replace(change.key, short[change.key], 1) for change in stride.step.changes)
        rows.append((made, *map(_added, added)))
    whole = [sum(found.more.estimate for stride in strides if (found := stride.of(path)) is not None) for path in paths]
    rows.append(("all together", *(signed(path, more) for path, more in zip(paths, whole, strict=True))))
    return Table("", ("change", *(_brief(name[path]) for path in paths)), tuple(rows))


NOT_CLEAR = "~ "
"""Before a difference that is not distinguishable from 0."""


def footnotes(tables: Sequence[Table]) -> list[str]:
    """What a sign in these tables means."""
    cells = (cell for sheet in tables for row in sheet.rows for cell in row[1:])
    return ["~: not distinguishable from 0."] if any(cell.startswith(NOT_CLEAR) for cell in cells) else []


def _brief(name: str) -> str:
    """An attainment in a table: there its share is told by the numbers beside it."""
    return name.removeprefix("attainment of ")


def stopped(baseline: Replicated) -> str:
    """How many runs were made of each, and why no more."""
    runs = f"{len(baseline.records)} replications of each"
    why = {
        "precision": ", until every main difference was clear or small",
        "budget": ": the budget of runs and requests is spent (more: --replications N)",
    }
    return f"{runs}{why.get(baseline.stopped, '')}. The intervals of a table hold together with 95%."


def walk_paths(baseline: Replicated, strides: Sequence[Stride]) -> list[str]:
    """The main numbers that are known at every step: cost, p99 TTFT (else the mean wait), attainments."""
    paths = [path for path in names(baseline.records[0].summary) if all(each.of(path) is not None for each in strides)]
    return [path for path in paths if path != WAIT or TAIL not in paths]


def _added(each: Difference) -> str:
    told, interval = difference(each)
    return f"{told}\n{interval}" if not (each.is_same or each.is_exact) else told


def difference(each: Difference) -> tuple[str, str]:
    """The difference with its sign, `~` before it if it is not distinguishable from 0; and its interval."""
    if each.is_same:
        return "0", "the same"
    told = signed(each.path, each.more.estimate)
    if each.is_exact:
        return told, "exactly"
    return f"{'' if each.is_distinguishable else NOT_CLEAR}{told}", between(each)


def between(each: Difference) -> str:
    """Both ends; points, as those of the difference beside them, without the word."""
    told = words.between(*possible(each), lambda end: signed(each.path, end))
    return told.removesuffix(" points")


def possible(each: Difference) -> tuple[float, float]:
    """The ends of an interval, of an attainment cut to what can be: of all requests at most, none at least.

    One that is 0 or 1 over all replications can only be left upwards, or downwards. One in between is itself not known
    exactly and cuts nothing.
    """
    low, high = each.more.low, each.more.high
    if not each.path.endswith(".attained"):
        return low, high
    least = 0.0 if each.baseline == 0 or each.other == 1 else -1.0
    most = 0.0 if each.baseline == 1 or each.other == 0 else 1.0
    return min(max(low, least), most), max(min(high, most), least)


def names(summary: dict[str, Any]) -> dict[str, str]:
    """How people call the main numbers, by path."""
    found = {COST: "cost a day", TAIL: "p99 TTFT", WAIT: "mean wait"}
    for place, target in enumerate(summary["slo"]):
        about = whose(target)
        of = f"{_METRICS[target['metric']]} ≤ {words.duration(target['under_s'])}"
        found[f"slo.{place}.attained"] = f"attainment of {of}" + ("" if about == "requests" else f", {about}")
    return found


def value(path: str, number: float) -> str:
    """A number of a summary as people say it, by the unit that its path names."""
    match _unit(path):
        case "usd":
            return _usd(number)
        case "s":
            return words.duration(number)
        case "share":
            return words.ratio(number)
        case _:
            return words.count(number)


def signed(path: str, more: float) -> str:
    """A difference with its sign; that of shares is in points (of a hundred)."""
    sign = "-" if more < 0 else "+" if more > 0 else ""
    return sign + amount(path, abs(more))


def amount(path: str, size: float) -> str:
    """A difference without its sign."""
    return f"{points(size)} points" if _unit(path) == "share" else value(path, size)


def points(size: float) -> str:
    """A share of a hundred, two digits: `0.42`, `12.3`."""
    found = 100 * size
    return f"{found:.1f}" if found >= 10 else f"{found:.2g}" if found >= 1e-3 or found == 0 else "<0.001"


def _clause(each: Difference, name: dict[str, str]) -> str:
    """Better or worse, by how much, in what: `cheaper by $212 a day ($180 to $244)`."""
    less, more = _WORDS.get(each.path, ("worse", "better"))
    direction = less if each.more.estimate < 0 else more
    ends = sorted(map(abs, possible(each)))
    a_day = " a day" if each.path == COST else ""
    where = "" if each.path == COST else f" in {name[each.path]}"
    by = amount(each.path, abs(each.more.estimate))
    if each.is_exact:
        by = words.usd(abs(each.more.estimate)).removesuffix(".00") if each.path == COST else by
        return f"{direction} by exactly {by}{a_day}{where}"
    low, high = (points(end) if _unit(each.path) == "share" else amount(each.path, end) for end in ends)
    return f"{direction} by {by}{a_day}{where} ({words.between_said(low, high)})"


def _telling(each: Difference) -> float:
    """How large a difference is beside the numbers: of an attainment, beside the misses, or 1 % if they are fewer."""
    one, other, least = each.baseline, each.other, 1e-12
    if each.path.endswith(".attained"):
        one, other, least = 1 - one, 1 - other, 0.01
    return abs(one - other) / max(abs(one), abs(other), least)


def _lacking(baseline: Replicated, other: Comparison) -> str:
    told = [
        f"{_NAMES.get(path, path)} needs {words.plural(lacking, 'more request')}"
        for path, lacking in refused(baseline, other).items()
    ]
    return "".join(f", {each}" for each in told)


def _unit(path: str) -> str:
    """`usd`, `s`, `share`, or nothing."""
    steps = [step for step in path.split(".") if step not in _STATISTICS]
    last = steps[-1] if steps else path
    if "usd" in last.split("_"):
        return "usd"
    if last == "attained" or last.endswith("_share"):
        return "share"
    return "s" if last.endswith("_s") and not last.endswith("_per_s") else ""


def _usd(number: float) -> str:
    """An amount without cents where they say nothing."""
    return words.usd(float(round(number)) if abs(number) >= 100 else number).removesuffix(".00")


def _and(said: Sequence[str]) -> str:
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def better(each: Difference) -> bool:
    """Whether a difference is for the better: more of an attainment, less of anything else."""
    return (each.more.estimate > 0) == each.path.endswith(".attained")
