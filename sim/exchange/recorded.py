"""Files of recorded observations, told apart by what they hold, through a policy: what `fleetcast decide` does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sim.autoscaling.observation import WORK_AHEAD, Observation, Policy
from sim.autoscaling.replay import Decided, decide_at_each, decide_in_time
from sim.config.errors import DataError, Problem
from sim.exchange.documents import Document, open_document
from sim.exchange.observations import holds_observations, read_observations
from sim.exchange.prometheus import holds_series
from sim.exchange.prometheus_recording import PrometheusRecording

_YEAR_10000_S = 253_402_300_800
"""Unix time of the first second that no calendar here knows."""


@dataclass
class Replay:
    """The decisions of a policy on recorded data, and what is to be told about the data."""

    decisions: Iterator[Decided]
    began: datetime | None
    """The time of second 0, where the data say it."""
    silent: set[str]
    """Metrics that the policy asks for and that no observation held; complete once the decisions are read."""


def replay(policy: Policy, files: Sequence[str], replicas: int | None = None) -> Replay:
    """A policy's decisions on the observations of some files: JSON lines, or answers of Prometheus. Raises `DataError`.

    With `replicas`, the fleet begins at that size and follows the policy, whatever sizes were recorded.
    """
    documents = [open_document(file) for file in files]
    if all(holds_series(document) for document in documents):
        series = PrometheusRecording(documents, policy.queries, policy.pipeline)
        began = datetime.fromtimestamp(series.first_s, UTC) if series.first_s < _YEAR_10000_S else None
        policy = policy if began is None else _begun(policy, began)
        return Replay(decide_in_time(policy, series, replicas), began, set(series.silent))
    for document in documents:
        _check(document, len(documents))
    silent = {query.metric for query in policy.queries if query.metric != WORK_AHEAD}
    start = policy.initial_replicas if replicas is None else replicas
    seen = _heard(read_observations(documents[0], policy.queries, start), silent)
    return Replay(decide_at_each(policy, seen, replicas), None, silent)


def _begun(policy: Policy, began: datetime) -> Policy:
    """The policy with second 0 at this time, where it goes by the calendar and does not say otherwise."""
    known: Any = policy
    if "run_starts" not in getattr(type(policy), "model_fields", {}) or "run_starts" in known.model_fields_set:
        return policy
    keys = known.model_dump(mode="json", by_alias=True, exclude_none=True)
    begun: Policy = type(known).model_validate({**keys, "run_starts": began.isoformat()})
    return begun


def _check(document: Document, files: int) -> None:
    """Whether a file can be read as JSON lines. Raises `DataError`."""
    if holds_observations(document) and files == 1:
        return
    problem = "holds neither observations (lines of JSON with at_s) nor an answer of Prometheus to query_range"
    if holds_observations(document) or holds_series(document):
        problem = "several files must all be answers of Prometheus to query_range; give observations as one file"
    raise DataError(Problem(problem, "", document.file))


def _heard(seen: Iterator[Observation], silent: set[str]) -> Iterator[Observation]:
    """The observations; the metrics that they hold are taken out of `silent`."""
    for observation in seen:
        if silent:
            silent.difference_update(query.metric for query in observation.values)
            silent.difference_update(query.metric for pod in observation.pods for query in pod.values)
        yield observation
