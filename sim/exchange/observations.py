"""Observations as JSON, one a line: written from a run, or by hand, and read back.

    {"at_s": 15, "current": 4, "ready": 3, "unready": 1, "values": {"num_requests_waiting": 60}}

`values` is a list of `{metric, how, over_s, across, value}`, or short: a metric and the answer to whatever the policy
asks of it. `pods` (name, phase, values) are needed by policies that look at each. `ready` left out is `current` less
`unready`; a value that is null is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from sim.autoscaling.observation import (
    GENERATION_TOKENS,
    ITL,
    KV_USAGE,
    PROMPT_TOKENS,
    RUNNING,
    TTFT,
    WAITING,
    Across,
    How,
    Observation,
    Phase,
    Pod,
    Query,
)
from sim.config.catalogue import did_you_mean
from sim.config.errors import DataError, Problem
from sim.config.units import shown
from sim.exchange.documents import Document, Fields

LARGEST = 1e15
"""Of a value: beyond this no metric is real, and a policy's arithmetic would overflow."""
MOST_REPLICAS = 100_000
LATEST_S = 1e11
"""Of a time: beyond this, some three thousand years, calendars end."""

_FULL = {
    name.removeprefix("vllm:"): name
    for name in (WAITING, RUNNING, KV_USAGE, PROMPT_TOKENS, GENERATION_TOKENS, TTFT, ITL)
}


def full_name(metric: str) -> str:
    """A metric's name with `vllm:`, if it is one of vLLM's; else as it is."""
    return _FULL.get(metric, metric)


def to_json(seen: Observation) -> dict[str, Any]:
    """An observation as plain values, which `from_json` reads back to an equal one."""
    found: dict[str, Any] = {
        "at_s": seen.at_s,
        "current": seen.current,
        "ready": seen.ready,
        "unready": seen.unready,
        "values": _written(seen.values),
    }
    if seen.pods:
        found["pods"] = [{"name": pod.name, "phase": pod.phase, "values": _written(pod.values)} for pod in seen.pods]
    return found


def from_json(values: Mapping[str, Any], asked: Iterable[Query] = ()) -> Observation:
    """The observation that plain values hold; `asked` gives short values their meaning. Raises `DataError`."""
    return _observation(Fields(values, ""), tuple(asked), None)


def holds_observations(document: Document) -> bool:
    """Whether a file looks like observations, by its first record."""
    first = document.first[0] if isinstance(document.first, list) and document.first else document.first
    return isinstance(first, Mapping) and "at_s" in first


def read_observations(document: Document, asked: Iterable[Query], start: int | None) -> Iterator[Observation]:
    """The observations of a file, in its order; `start` stands for a `current` that is missing. Raises `DataError`."""
    queries = tuple(asked)
    before_s = -1.0
    for fields in document.records():
        seen = _observation(fields, queries, start)
        if seen.at_s < before_s:
            fields.refuse(f"must not be before the last ({before_s:g}), got {seen.at_s:g}", "at_s")
        before_s = seen.at_s
        yield seen


def _written(values: Mapping[Query, float]) -> list[dict[str, Any]]:
    return [
        {"metric": each.metric, "how": each.how, "over_s": each.over_s, "across": each.across, "value": value}
        for each, value in values.items()
    ]


def _observation(fields: Fields, asked: tuple[Query, ...], start: int | None) -> Observation:
    _known(fields, ("at_s", "current", "ready", "unready", "values", "pods"))
    at_s = fields.number("at_s")
    if at_s > LATEST_S:
        fields.refuse(f"must be at most {LATEST_S:g}, got {at_s:g}", "at_s")
    unready = _replicas(fields, "unready", 0)
    current = _replicas(fields, "current", start)
    pods = tuple(_pod(each, asked) for each in fields.mappings("pods"))
    if len({pod.name for pod in pods}) < len(pods):
        fields.refuse("must not hold two pods of one name", "pods")
    return Observation(
        at_s=at_s,
        current=current,
        ready=_replicas(fields, "ready", max(current - unready, 0)),
        unready=unready,
        values=_values(fields, [query for query in asked if query.across != "each"]),
        pods=pods,
    )


def _pod(fields: Fields, asked: tuple[Query, ...]) -> Pod:
    _known(fields, ("name", "phase", "values"))
    phase = fields.values.get("phase", "ready")
    if phase not in get_args(Phase):
        fields.refuse(f"must be one of {', '.join(get_args(Phase))}; got {shown(phase)}", "phase")
    values = _values(fields, [query for query in asked if query.across == "each"])
    return Pod(fields.count("name"), phase, values)


def _values(fields: Fields, asked: list[Query]) -> dict[Query, float]:
    """The answers that a mapping or a list holds."""
    given = fields.values.get("values")
    if isinstance(given, Mapping):
        return _short(fields.child("values"), asked)
    found: dict[Query, float] = {}
    for each in fields.mappings("values"):
        _known(each, ("metric", "how", "over_s", "across", "value"))
        query = Query(
            full_name(each.text("metric") or each.refuse("is missing", "metric")),
            _one_of(each, "how", get_args(How), "last"),
            each.optional("over_s") or 0.0,
            _one_of(each, "across", get_args(Across), "sum"),
        )
        value = number(each, "value")
        if value is not None:
            found[query] = value
    return found


def _short(fields: Fields, asked: list[Query]) -> dict[Query, float]:
    """`{metric: value}`: the answer to all that is asked of the metric."""
    found: dict[Query, float] = {}
    for key in fields.values:
        value = number(fields, key)
        if value is None:
            continue
        name = full_name(key)
        meant = [query for query in asked if query.metric == name]
        for query in meant or [Query(name)]:
            found[query] = value
    return found


def number(fields: Fields, key: str) -> float | None:
    """A metric's value; nothing if it is null or absent."""
    value = fields.optional(key, least=-LARGEST)
    if value is not None and value > LARGEST:
        fields.refuse(f"must be at most {LARGEST:g}, got {shown(value)}", key)
    return value


def _replicas(fields: Fields, key: str, otherwise: int | None) -> int:
    value = fields.optional_count(key)
    if value is None and otherwise is None:
        fields.refuse("is missing; or say with --replicas how many there are at first", key)
    found = otherwise if value is None else value
    assert found is not None
    if found > MOST_REPLICAS:
        fields.refuse(f"must be at most {MOST_REPLICAS}, got {shown(value)}", key)
    return found


def _one_of(fields: Fields, key: str, known: tuple[Any, ...], otherwise: str) -> Any:
    value = fields.values.get(key, otherwise)
    if value not in known:
        fields.refuse(f"must be one of {', '.join(known)}; got {shown(value)}", key)
    return value


def _known(fields: Fields, keys: tuple[str, ...]) -> None:
    for key in fields.values:
        if key not in keys:
            where = ".".join(filter(None, (fields.path, str(key))))
            raise DataError(Problem(f"no such key{did_you_mean(str(key), keys)}", where, fields.file, fields.line))
