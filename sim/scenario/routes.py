"""Which pool a request goes to: rules on what it is, tried in order; and where a pool sends what is too much for it.

A `Route` says what holds of requests that it is for; `problems` finds rules that cannot work beside one another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.config import catalogue
from sim.config.said import Problems, said
from sim.config.units import Amount, Count, PositiveShare

_CLOSED = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Spill(BaseModel):
    """Where new requests go that are too many for a pool."""

    model_config = _CLOSED

    to: Annotated[str, Field(description="Name of the pool that takes them; it may pass them on in turn.")]
    above: Annotated[
        Amount | None,
        Field(description="More waiting than this for each ready replica is too many. Left out: when it would reject."),
    ] = None


class Between(BaseModel):
    """A range of tokens."""

    model_config = _CLOSED

    over_tokens: Annotated[Count | None, Field(alias="over", description="More than this.")] = None
    at_most_tokens: Annotated[Count | None, Field(alias="at_most", description="Not more than this.")] = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.over_tokens is None and self.at_most_tokens is None:
            raise said("needs over, at_most or both")
        if self.low >= self.high:
            raise said(f"must be above 'over' ({self.over_tokens}): nothing is in between", "at_most")
        return self

    @property
    def low(self) -> float:
        """It holds for numbers above this."""
        return -math.inf if self.over_tokens is None else self.over_tokens

    @property
    def high(self) -> float:
        """It holds for numbers up to this."""
        return math.inf if self.at_most_tokens is None else self.at_most_tokens


@dataclass(frozen=True)
class Labels:
    """What rules know of all requests of a stream."""

    class_name: str | None
    tenant: str | None
    model: str | None
    has_tokens: bool


class Route(BaseModel):
    """Requests of which all of this holds go to this pool."""

    model_config = _CLOSED

    class_name: Annotated[str | None, Field(alias="class", description="Its stream's class.")] = None
    tenant: Annotated[str | None, Field(description="Its stream's tenant.")] = None
    stream: Annotated[str | None, Field(description="Its stream.")] = None
    model: Annotated[str | None, Field(description="The model that its stream wants.")] = None
    prompt_tokens: Annotated[Between | None, Field(description="Length of the prompt: {over, at_most}.")] = None
    output_tokens: Annotated[
        Between | None, Field(description="Length of the answer, as it will be: {over, at_most}.")
    ] = None
    share: Annotated[PositiveShare | None, Field(description="Of the requests that the rest holds for, by lot.")] = None
    to: Annotated[str, Field(description="Name of the pool.")]

    def about(self, stream: str, labels: Labels) -> bool:
        """Whether any request of a stream can be meant."""
        if (self.prompt_tokens or self.output_tokens) and not labels.has_tokens:
            return False
        told = {"class": self.class_name, "tenant": self.tenant, "stream": self.stream, "model": self.model}
        there = {"class": labels.class_name, "tenant": labels.tenant, "stream": stream, "model": labels.model}
        return all(value is None or value == there[key] for key, value in told.items())

    def leaves_nothing_for(self, other: Route) -> bool:
        """Whether it takes every request of a stream that a later rule about the same stream is for."""
        if self.share is not None and self.share < 1:
            return False
        return _holds(self.prompt_tokens, other.prompt_tokens) and _holds(self.output_tokens, other.output_tokens)


def _holds(wide: Between | None, narrow: Between | None) -> bool:
    if wide is None:
        return True
    return narrow is not None and wide.low <= narrow.low and narrow.high <= wide.high


def route_problems(
    routes: Sequence[Route], streams: Mapping[str, Labels], homes: Mapping[str, str], kinds: Mapping[str, str]
) -> Problems:
    """What does not fit in the rules. `homes`: pools of streams that no rule is for; `kinds`: of pools' replicas."""
    problems: Problems = []
    for index, route in enumerate(routes):
        at: tuple[str | int, ...] = ("routes", index)
        found: Problems = [
            ((*at, key), why) for key, why in (*_unknown(route, streams), *_no_pool(route.to, kinds, "to"))
        ]
        meant = [name for name, labels in streams.items() if route.about(name, labels)]
        if not found and not meant:
            found = [(at, "can never match: there is no stream of which all of this holds")]
        if not found:
            free = [name for name in meant if not _taken(routes[:index], route, name, streams[name])]
            if not free:
                found = [(at, "can never match: the rules before it take all that it is for; remove or move it")]
        problems += found or _wrong_kind(at, route, meant, homes, kinds)
    return problems


def _taken(before: Sequence[Route], route: Route, stream: str, labels: Labels) -> bool:
    return any(other.about(stream, labels) and other.leaves_nothing_for(route) for other in before)


def _unknown(route: Route, streams: Mapping[str, Labels]) -> list[tuple[str, str]]:
    """Names of what there is not."""
    there: dict[str, tuple[str | None, list[str | None]]] = {
        "class": (route.class_name, [labels.class_name for labels in streams.values()]),
        "tenant": (route.tenant, [labels.tenant for labels in streams.values()]),
        "stream": (route.stream, list(streams)),
        "model": (route.model, [labels.model for labels in streams.values()]),
    }
    found = []
    for key, (wanted, names) in there.items():
        known = list(dict.fromkeys(name for name in names if name is not None))
        if wanted is None or wanted in known:
            continue
        told = f"no stream is called '{wanted}'" if key == "stream" else f"no stream has '{key}: {wanted}'"
        rest = catalogue.did_you_mean(wanted, known) or (f"; there are: {', '.join(known)}" if known else "")
        found.append((key, f"{told}{rest}"))
    return found


def _no_pool(to: str, pools: Mapping[str, Any], key: str) -> list[tuple[str, str]]:
    return [] if to in pools else [(key, f"no pool is called '{to}'{catalogue.did_you_mean(to, list(pools))}")]


def _wrong_kind(
    at: tuple[str | int, ...], route: Route, meant: Sequence[str], homes: Mapping[str, str], kinds: Mapping[str, str]
) -> Problems:
    for stream in meant:
        home = homes.get(stream, route.to)
        if kinds[home] != kinds[route.to]:
            told = f"the replicas of pool '{route.to}' are {kinds[route.to]}, those of '{home}', where"
            return [((*at, "to"), f"{told} stream '{stream}' goes too, are {kinds[home]}; they must be of one kind")]
    return []


def spill_problems(spills: Mapping[str, Spill | None], kinds: Mapping[str, str]) -> Problems:
    """What does not fit in where pools send what is too much for them. `kinds`: what replicas each pool has."""
    problems: Problems = []
    for name, spill in spills.items():
        if spill is None:
            continue
        at = ("pools", name, "queue", "spill", "to")
        problem = "".join(why for _, why in _no_pool(spill.to, kinds, "to"))
        if not problem and kinds[spill.to] != kinds[name]:
            problem = f"the replicas of pool '{spill.to}' are {kinds[spill.to]}, those here are {kinds[name]}"
        chain = [name]
        while not problem and (following := spills.get(chain[-1])) is not None:
            chain.append(following.to)
            if following.to in chain[:-1]:
                if following.to == name == min(chain, key=list(spills).index):  # a circle is told once
                    problem = f"goes in a circle: {' > '.join(chain)}; the last pool must keep what it gets"
                break
        if problem:
            problems.append((at, problem))
    return problems
