"""Queries of Prometheus that the simulator can answer: the usual shapes over the metrics it knows, both ways.

`sum(m{...})`, `avg`, `max`; `avg_over_time(m[1m])`, `max_`, `min_`, `last_` inside them; `sum(rate(counter[1m]))`;
`histogram_quantile(0.95, sum(rate(h_bucket[5m])) by (le))`; `sum(rate(h_sum[5m])) / sum(rate(h_count[5m]))`; each of
them with `or vector(0)` behind it. A metric may be written with `_` for `:`, as prometheus-adapter needs it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from sim.autoscaling.base import COUNTERS, GAUGES, HISTOGRAMS, METRICS
from sim.autoscaling.kubernetes.hpa_metrics import Asked
from sim.autoscaling.observation import ITL, KV_USAGE, Across, How
from sim.config.catalogue import nearest
from sim.config.units import DURATION

_POOL = (
    "app cluster component container deployment endpoint env environment exported_namespace inference_service job "
    "kubernetes_namespace model model_name namespace release service served_model_name statefulset workload"
)
_POD = "exported_pod instance node pod"
IDENTITY = frozenset(f"{_POOL} {_POD}".split())
"""Labels that say whose series these are: in the simulation there are only the pool's own."""

_AGES = {"vllm:gpu_cache_usage_perc": KV_USAGE, "vllm:time_per_output_token_seconds": ITL}
_KNOWN = {full: full for full in METRICS} | _AGES
_KNOWN |= {name.replace(":", "_"): full for name, full in _KNOWN.items()}
_KNOWN |= {full.removeprefix("vllm:"): full for full in METRICS}

_ACROSS: dict[str, Across] = {"sum": "sum", "avg": "mean", "max": "max"}
_OVER_TIME: dict[str, How] = {
    "avg_over_time": "mean",
    "max_over_time": "max",
    "min_over_time": "min",
    "last_over_time": "last",
}
_QUANTILES: dict[float, How] = {0.5: "p50", 0.9: "p90", 0.95: "p95", 0.99: "p99"}

_GROUP = r"(?P<how>by|without)\s*\((?P<labels>[^)]*)\)"
_OPERATOR = re.compile(rf"(?P<op>\w+)\s*(?:{_GROUP}\s*)?(?=\()")
_AFTER = re.compile(rf"\s*(?:{_GROUP}\s*)?")
_CALLED = re.compile(r"(?P<function>\w+)\s*\((?P<inner>.*)\)", re.DOTALL)
_SERIES = re.compile(r"(?P<name>[A-Za-z_:][\w:]*)\s*(?:\{(?P<labels>.*)\})?\s*(?:\[(?P<range>\w+)\])?", re.DOTALL)
_LABEL = re.compile(r"""\s*(\w+)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*(?:,|$)""")
_OR_ZERO = re.compile(r"(?P<query>.*)\s+or\s+(?:on\s*\(\s*\)\s+)?vector\s*\(\s*0\s*\)\s*", re.DOTALL)


class UnknownQueryError(ValueError):
    """A query that is not one of the shapes above, or asks for what is not simulated."""

    key = "query"
    """What is to blame where a query cannot be written: the key of `Asked`."""


@dataclass(frozen=True)
class Understood:
    """What a query asks for."""

    asked: dict[str, Any]
    """Fields of `Asked`."""
    zero_if_absent: bool = False
    """It ends in `or vector(0)`."""


@dataclass(frozen=True)
class _Series:
    metric: str
    """As written, without the suffix of a histogram's part."""
    over_s: float | None


def metric_of(name: str) -> str | None:
    """The full name of a metric under any of its spellings; None for others."""
    return _KNOWN.get(name)


def understood(query: str) -> Understood:
    """What a query asks for. Raises `UnknownQueryError`."""
    text = _bare(query)
    absent = _OR_ZERO.fullmatch(text)
    if absent is not None:
        text = _bare(absent["query"])
    asked = _mean_of_histogram(text) or _quantile(text) or _aggregated(text)
    try:
        Asked.model_validate(asked)
    except ValidationError as error:
        raise UnknownQueryError(error.errors()[0]["msg"]) from None
    return Understood(asked, absent is not None)


def _bare(text: str) -> str:
    """A query without parentheses around the whole of it."""
    text = text.strip()
    while text.startswith("(") and _closes(text) == len(text) - 1:
        text = text[1:-1].strip()
    return text


def _closes(text: str) -> int:
    """Where the parenthesis that a text begins with is closed; -1: nowhere."""
    depth, quote = 0, ""
    for index, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "()":
            depth += 1 if character == "(" else -1
            if depth == 0:
                return index
    return -1


def _mean_of_histogram(text: str) -> dict[str, Any] | None:
    """`sum(rate(h_sum[5m])) / sum(rate(h_count[5m]))`."""
    head, slash, tail = text.partition("/")
    if not slash:
        return None
    total, count = _rate_of(head, "_sum"), _rate_of(tail, "_count")
    if total != count:
        raise UnknownQueryError("divides two different series; only a histogram's sum by its own count is simulated")
    return {"metric": _metric(total, HISTOGRAMS), "how": "mean", "over": total.over_s}


def _quantile(text: str) -> dict[str, Any] | None:
    """`histogram_quantile(0.95, sum(rate(h_bucket[5m])) by (le))`."""
    called = _CALLED.fullmatch(text)
    if called is None or called["function"] != "histogram_quantile":
        return None
    level, _, rest = called["inner"].partition(",")
    try:
        how = _QUANTILES.get(float(level))
    except ValueError:
        how = None
    if how is None:
        raise UnknownQueryError(f"asks for the quantile {level.strip()}; simulated are 0.5, 0.9, 0.95 and 0.99")
    series = _rate_of(rest, "_bucket", grouped=("le",))
    return {"metric": _metric(series, HISTOGRAMS), "how": how, "over": series.over_s}


def _rate_of(text: str, suffix: str, grouped: tuple[str, ...] = ()) -> _Series:
    """The series in `sum(rate(m[1m]))`, which must be the part of a histogram that the suffix names."""
    operator, inner = _aggregation(_bare(text), grouped)
    called = _CALLED.fullmatch(inner)
    if operator != "sum" or called is None or called["function"] != "rate":
        raise UnknownQueryError(f"must be sum(rate(...{suffix}[1m])) at {text.strip()!r}")
    series = _ranged(called["inner"])
    if not series.metric.endswith(suffix):
        raise UnknownQueryError(f"must name the {suffix} of a histogram at {text.strip()!r}")
    return _Series(series.metric.removesuffix(suffix), series.over_s)


def _aggregated(text: str) -> dict[str, Any]:
    """A gauge or a counter of several pods as one number."""
    operator, inner = _aggregation(text)
    called = _CALLED.fullmatch(inner)
    if called is None:
        series = _series(inner)
        if series.over_s is not None:
            raise UnknownQueryError("has a range but no function over it")
        asked: dict[str, Any] = {"metric": _metric(series, GAUGES)}
    elif called["function"] == "rate":
        series = _ranged(called["inner"])
        asked = {"metric": _metric(series, COUNTERS), "how": "rate", "over": series.over_s}
    elif called["function"] in _OVER_TIME:
        series = _ranged(called["inner"])
        asked = {"metric": _metric(series, GAUGES), "how": _OVER_TIME[called["function"]], "over": series.over_s}
    else:
        known = ", ".join(("rate", *_OVER_TIME))
        raise UnknownQueryError(f"uses {called['function']}(), which is not simulated; there are: {known}")
    return {**asked, "across": _ACROSS[operator]}


def _aggregation(text: str, grouped: tuple[str, ...] = ()) -> tuple[str, str]:
    """The operator of `op(...)` and what is inside. Groups may only be labels that tell no two series apart here."""
    head = _OPERATOR.match(text)
    end = head.end() + _closes(text[head.end() :]) if head is not None else 0
    tail = _AFTER.fullmatch(text, end + 1)
    if head is None or end < head.end() or tail is None:
        bare = _SERIES.fullmatch(text)
        if bare is not None and metric_of(bare["name"]):
            raise UnknownQueryError(f"gives one value a pod; make it one value, as in sum({text})")
        raise UnknownQueryError("is not a query that is simulated, such as sum(vllm:num_requests_waiting)")
    if head["op"] not in _ACROSS:
        raise UnknownQueryError(f"aggregates with {head['op']}, which is not simulated; there are: sum, avg, max")
    for group in (head, tail):
        _check_group(group["how"], group["labels"] or "", grouped)
    return head["op"], _bare(text[head.end() : end + 1])


def _check_group(how: str | None, labels: str, grouped: tuple[str, ...]) -> None:
    """Whether a grouping leaves one value: by labels that all pods of a pool share, or without those that differ."""
    allowed = IDENTITY if how == "without" else frozenset((*_POOL.split(), *grouped))
    for label in filter(None, (each.strip() for each in labels.split(","))):
        if label not in allowed:
            why = "makes one value a pod" if label in IDENTITY else "is not simulated"
            raise UnknownQueryError(f"groups {how} {label}, which {why}")


def _ranged(text: str) -> _Series:
    """The series that a function over time looks at."""
    series = _series(text)
    if series.over_s is None:
        raise UnknownQueryError(f"needs a range behind {series.metric}, such as [1m]")
    return series


def _series(text: str) -> _Series:
    found = _SERIES.fullmatch(_bare(text))
    if found is None:
        raise UnknownQueryError(f"is not a query that is simulated at {text.strip()!r}")
    _check_labels(found["labels"] or "")
    try:
        return _Series(found["name"], None if found["range"] is None else float(DURATION.parse(found["range"])))
    except PydanticCustomError as error:
        raise UnknownQueryError(str(error)) from None


def _check_labels(text: str) -> None:
    """Whether a selector only says whose series are meant."""
    at = 0
    while text[at:].strip():
        label = _LABEL.match(text, at)
        if label is None:
            raise UnknownQueryError(f"holds a selector that cannot be read: {{{text}}}")
        if label[1] not in IDENTITY:
            raise UnknownQueryError(f"selects by the label {label[1]}, which is not simulated")
        at = label.end()


def _metric(series: _Series, kinds: tuple[str, ...]) -> str:
    metric = metric_of(series.metric)
    if metric in kinds:
        return metric
    if metric is not None:
        what = "counter" if metric in COUNTERS else "histogram" if metric in HISTOGRAMS else "gauge"
        wants = {"counter": "rate()", "histogram": "a quantile or mean", "gauge": "no rate"}[what]
        raise UnknownQueryError(f"treats {series.metric}, a {what}, as something else: it needs {wants}")
    raise UnknownQueryError(no_metric(series.metric))


def no_metric(name: str) -> str:
    """What to say of a metric that is not simulated."""
    best = nearest(name, [known for known in METRICS if ":" in known])
    return f"names {name}, which is not simulated" + (f"; did you mean '{best}'?" if best else "")


def written(asked: Asked) -> str:
    """The query that asks for the same. Raises `UnknownQueryError` where none of the shapes does."""
    query, name = asked.query, asked.metric
    window = f"[{_span(query.over_s)}]"
    if name in HISTOGRAMS:
        if query.across != "sum":
            raise _unwritten("across", "a latency of all pods together can be asked for, with across: sum; no other")
        if query.how == "mean":
            return f"sum(rate({name}_sum{window})) / sum(rate({name}_count{window}))"
        level = next(level for level, how in _QUANTILES.items() if how == query.how)
        return f"histogram_quantile({level:g}, sum(rate({name}_bucket{window})) by (le))"
    operator = next(operator for operator, across in _ACROSS.items() if across == query.across)
    if query.how == "last" and not query.over_s:
        return f"{operator}({name})"
    function = next((each for each, how in _OVER_TIME.items() if how == query.how), "rate")
    return f"{operator}({function}({name}{window}))"


def _span(over_s: float) -> str:
    """A window as Prometheus reads it: whole numbers of a unit. Raises `UnknownQueryError`."""
    if over_s == int(over_s):
        return f"{int(over_s)}s"
    milliseconds = round(over_s * 1000)
    if milliseconds / 1000 != over_s:
        raise _unwritten("over", f"Prometheus counts whole milliseconds, got {over_s!r}s")
    return f"{milliseconds}ms"


def _unwritten(key: str, text: str) -> UnknownQueryError:
    error = UnknownQueryError(text)
    error.key = key
    return error
