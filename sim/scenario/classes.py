"""Classes of requests and tenants: what a scenario says of them, who carries which, and what cannot be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.config import catalogue
from sim.config.said import Problems, said
from sim.config.units import AMOUNT, Count, PositiveAmount, PositiveRate

if TYPE_CHECKING:
    from sim.pricing.revenue import AnyRevenue
    from sim.pricing.slowness import AnySlowness
    from sim.scenario import Scenario, Target

__all__ = ["DEFAULT", "Quota", "RequestClass", "Tenant", "carried", "classes_of", "tenants_of", "unfitting"]

_CLOSED = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
DEFAULT = "default"
"""The class of streams that name none, where others do."""
_MINUTE_S = 60.0
T = TypeVar("T")


class RequestClass(BaseModel):
    """Requests that are treated alike where they wait."""

    model_config = _CLOSED

    priority: Annotated[
        Count, Field(description="Who goes first where a queue orders by priority: 0 before 1, and so on.")
    ] = 0
    weight: Annotated[PositiveAmount, Field(description="Its share where a queue divides by weight.")] = 1.0


class Quota(BaseModel):
    """What a tenant may send: a token bucket in requests, one in tokens, or both; what is beyond is rejected."""

    model_config = _CLOSED

    requests_per_s: Annotated[
        PositiveRate | None, Field(alias="requests", description="Requests that it may send. Left out: any number.")
    ] = None
    burst: Annotated[
        Annotated[float, AMOUNT.between(1, 1e12)] | None,
        Field(description="Requests that it may send at once; left out: those of a second, at least 1."),
    ] = None
    tokens_per_s: Annotated[
        PositiveRate | None, Field(alias="tokens", description="Prompt and output tokens. Left out: any number.")
    ] = None
    token_burst: Annotated[
        Annotated[float, AMOUNT.between(1, 1e15)] | None,
        Field(description="Tokens that it may send at once; left out: those of a minute."),
    ] = None

    @property
    def request_burst(self) -> float:
        """Requests in a full bucket."""
        return self.burst or max(self.requests_per_s or 0.0, 1.0)

    @property
    def tokens_at_once(self) -> float:
        """Tokens in a full bucket."""
        return self.token_burst or max(_MINUTE_S * (self.tokens_per_s or 0.0), 1.0)

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.requests_per_s is None and self.tokens_per_s is None:
            raise said("needs 'requests' or 'tokens', such as 10/s or 50k/s")
        for rate, burst in (("requests", "burst"), ("tokens", "token_burst")):
            if getattr(self, f"{rate}_per_s") is None and getattr(self, burst) is not None:
                raise said(f"is how many may come at once; give '{rate}' too, a rate", burst)
        return self


class Tenant(BaseModel):
    """A customer of the service."""

    model_config = _CLOSED

    weight: Annotated[PositiveAmount, Field(description="Its share where a queue is fair to tenants.")] = 1.0
    quota: Annotated[Quota | None, Field(description="What it may send. Left out: anything.")] = None


def carried(scenario: Scenario, what: str) -> dict[str, str | None]:
    """The class (`class_name`) or `tenant` that each stream names, by stream."""
    return {name: getattr(stream, what, None) for name, stream in scenario.workload.by_name().items()}


def classes_of(scenario: Scenario) -> dict[str, RequestClass]:
    """The classes, in the order of the file, or of first mention by streams; empty where no stream names one.

    Streams that name none are of the class `default`, which is last unless the file says otherwise.
    """
    named = list(carried(scenario, "class_name").values())
    if not scenario.classes and not any(named):
        return {}
    return _told(scenario.classes, [name or DEFAULT for name in named], named, RequestClass())


def tenants_of(scenario: Scenario) -> dict[str, Tenant]:
    """The tenants, in the order of the file, or of first mention by streams."""
    named = [name for name in carried(scenario, "tenant").values() if name]
    return _told(scenario.tenants, named, named, Tenant())


def _told(known: Mapping[str, T], named: Iterable[str], first: Iterable[str | None], plain: T) -> dict[str, T]:
    order = dict.fromkeys([*known, *(name for name in first if name), *named])
    return {name: known.get(name, plain) for name in order}


def unfitting(scenario: Scenario) -> Problems:
    """What does not fit between streams, classes, tenants and what is said of some of them."""
    found: Problems = []
    both: tuple[tuple[str, str, Mapping[str, object]], ...] = (
        ("class_name", "class", scenario.classes),
        ("tenant", "tenant", scenario.tenants),
    )
    for what, key, known in both:
        named = carried(scenario, what)
        unknown = _unknown(scenario, named, key, known)
        found += unknown
        there = {name or (DEFAULT if key == "class" else None) for name in named.values()} - {None}
        many = "classes" if key == "class" else "tenants"
        for name in known:
            if name not in there and not unknown:  # else it may be the one that was meant
                told = f"no stream carries it: no request is ever of it; give a stream '{key}: {name}'"
                found.append(((many, name), told))
        found += _about_nobody(scenario, what, key, there if any(named.values()) or known else set())
    return [*found, *_about_no_pair(scenario), *_unordered(scenario)]


def _unknown(scenario: Scenario, named: Mapping[str, str | None], key: str, known: Mapping[str, object]) -> Problems:
    """Names of streams that the file's own list does not hold; without a list any name will do."""
    return [
        ((*scenario.stream_place(stream), key), f"no {key} is called '{name}'{catalogue.did_you_mean(name, known)}")
        for stream, name in named.items()
        if known and name is not None and name not in known
    ]


def _about_some(scenario: Scenario) -> Iterator[tuple[tuple[str, int], Target | AnySlowness | AnyRevenue]]:
    """Entries that may be about one class or one tenant, with their place in the file."""
    for key, entries in (("slo", scenario.slo), ("slowness", scenario.slowness), ("revenue", scenario.revenue)):
        for index, entry in enumerate(entries):
            yield (key, index), entry


def _about_nobody(scenario: Scenario, what: str, key: str, there: set[str | None]) -> Problems:
    """Entries about a class or a tenant of which no request is."""
    found: Problems = []
    for at, entry in _about_some(scenario):
        name = getattr(entry, what)
        if name is not None and name not in there:
            known = sorted(str(each) for each in there)
            hint = catalogue.did_you_mean(name, known) if known else f"; give a stream '{key}: {name}', or take it out"
            found.append(((*at, key), f"no stream is of {key} '{name}'{hint}"))
    return found


def _about_no_pair(scenario: Scenario) -> Problems:
    """Entries about a class of a tenant that has no such requests, though there are both."""
    classes, tenants = carried(scenario, "class_name"), carried(scenario, "tenant")
    pairs = {(classes[stream] or DEFAULT, tenants[stream]) for stream in classes}
    found: Problems = []
    for at, entry in _about_some(scenario):
        wanted = (entry.class_name, entry.tenant)
        known = all(any(pair[place] == name for pair in pairs) for place, name in enumerate(wanted))
        if None not in wanted and known and wanted not in pairs:
            found.append((at, f"no stream of class '{wanted[0]}' is of tenant '{wanted[1]}'"))
    return found


def _unordered(scenario: Scenario) -> Problems:
    """Priorities that no queue looks at."""
    found: Problems = []
    named = carried(scenario, "class_name")
    for name, each in scenario.classes.items():
        streams = [stream for stream, own in named.items() if (own or DEFAULT) == name]
        pools = {pool for stream in streams for pool in scenario.reached_pools(stream)}
        if each.priority and pools and not any(_looks(scenario.pools[pool].queue) for pool in pools):
            told = (
                f"is {each.priority}, but no queue of its requests orders by priority; give "
                f"pools.{sorted(pools)[0]}.queue 'order: priority', or take it out"
            )
            found.append((("classes", name, "priority"), told))
    return found


def _looks(queue: object) -> bool:
    """Whether a queue treats classes by their priority."""
    return getattr(queue, "order", "priority") == "priority" or getattr(queue, "shed", None) is not None
