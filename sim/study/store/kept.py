"""What a study keeps of one run, as text: the same bytes whoever makes the run, wherever it then stands.

The text is made where the run is, so whoever collects the runs of many processes has only to write it down.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sim.config.errors import ConfigError, DataError
from sim.scenario import Scenario
from sim.statistics.histogram import BUCKETS, Histogram
from sim.statistics.tails import Exact, Tail
from sim.study.replicated.record import Record, Task, measured
from sim.study.replicated.replications import sent
from sim.study.store.design_file import RUN

Key = tuple[str, int]
"""A run: the digest of its scenario, and which replication."""


@dataclass(frozen=True)
class Making:
    """One run to be made for a study."""

    scenario: Scenario
    digest: str
    replication: int
    compiled: bool = False
    """Not to be made in plain Python, though the scenario leaves the choice; the result is the same."""


@dataclass(frozen=True)
class Kept:
    """One run of a study. Its text is all that counts; the rest is what one would else have to look up in it."""

    key: Key
    text: str
    """A JSON object in one line: scenario, replication, error, in_time_at_end_share, latency, summary."""
    failed: bool
    sent: int = 0
    """Requests that were simulated."""
    took_s: float = 0.0
    """How long it took, where it was made just now."""

    def document(self) -> dict[str, Any]:
        """The text, read."""
        found: dict[str, Any] = json.loads(self.text)
        return found

    def record(self) -> Record:
        """The run as replications are told together; one that has not failed."""
        found = self.document()
        latency: dict[str, Tail] = {metric: _histogram(of) for metric, of in found["latency"].items()}
        return Record(found["replication"], found["summary"], latency, found["in_time_at_end_share"])

    @property
    def error(self) -> str | None:
        """Why it has failed."""
        found: str | None = self.document()["error"] if self.failed else None
        return found


def made(task: Making) -> Kept:
    """Make a run. What only a run can find wrong (a request that no replica can hold) is kept as its error."""
    began = time.perf_counter()
    scenario = task.scenario
    if task.compiled and scenario.calendar == "auto":
        scenario = scenario.model_copy(update={"calendar": "compiled"})
    key = (task.digest, task.replication)
    try:
        record = measured(Task(scenario, task.replication, condensed=True))
    except (ConfigError, DataError) as error:
        return failure(key, str(error))
    # who called the model says nothing of the result, and would make two texts of one run
    summary = {**record.summary, "calendar": task.scenario.calendar}
    summary["run"] = {**summary["run"], "config_sha256": task.digest}
    found = kept_of(key, replace(record, summary=summary))
    return replace(found, took_s=time.perf_counter() - began)


def kept_of(key: Key, record: Record) -> Kept:
    """A run as it is kept; its latencies are condensed."""
    latency = {}
    for metric, tail in record.latency.items():
        latency[metric] = _plain(tail.condensed() if isinstance(tail, Exact) else tail)
    text = text_of(key, None, record.in_time_at_end_share, latency, _json(record.summary))
    return Kept(key, text, failed=False, sent=sent(record))


def failure(key: Key, error: str) -> Kept:
    """A run that has none."""
    return Kept(key, text_of(key, error, None, {}, "null"), failed=True)


def text_of(key: Key, error: str | None, share: float | None, latency: dict[str, Any], summary: str) -> str:
    """The text of a run from its parts; the summary is JSON already."""
    head = {"scenario": key[0], "replication": key[1], "error": error, "in_time_at_end_share": share}
    return f'{_json({**head, "latency": latency})[:-1]},"summary":{summary}}}'


def from_text(text: str) -> Kept:
    """A run from its text. Raises `ValueError` for what is none."""
    found = RUN.validate_json(text)
    failed = found.error is not None
    if failed == (found.summary is not None) or any(len(of.buckets) != len(of.counts) for of in found.latency.values()):
        raise ValueError("neither a run nor one that failed")
    sent = 0 if found.summary is None else found.summary.attempts.sent
    return Kept((found.scenario, found.replication), text, failed, sent)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _plain(histogram: Histogram) -> dict[str, Any]:
    places = np.flatnonzero(histogram.counts)
    return {
        "buckets": places.tolist(),
        "counts": histogram.counts[places].tolist(),
        "zeros": int(histogram.zeros),
        "sum": float(histogram.sum),
        "least": float(histogram.least) if math.isfinite(histogram.least) else None,
        "most": float(histogram.most) if math.isfinite(histogram.most) else None,
    }


def _histogram(plain: dict[str, Any]) -> Histogram:
    counts = np.zeros(BUCKETS, np.int64)
    counts[plain["buckets"]] = plain["counts"]
    least, most = plain["least"], plain["most"]
    return Histogram(
        counts,
        plain["zeros"],
        plain["sum"],
        math.inf if least is None else least,
        -math.inf if most is None else most,
    )
