"""Those who send the requests of a stream, and what they do of their own accord: wait, give up, try again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.config.errors import ConfigError, Problem
from sim.config.said import Problems, said_all
from sim.config.units import PositiveCount
from sim.workload.durations import AnyTime, PositiveTime, constant_s
from sim.workload.law import Distribution
from sim.workload.randomness import RngOf
from sim.workload.retries import AnyRetry, Hedge

__all__ = ["LIMITS", "Clients", "Limits", "merged_limits"]

Floats = NDArray[np.float64]
LIMITS = ("patience_s", "first_token_timeout_s", "token_timeout_s", "total_timeout_s")
"""What a client bears: fields of `Clients`, columns of a demand and of the model's calls."""
Limits = Mapping[str, Floats]
"""Columns of one stream, by name from `LIMITS`, each of shape (n,); those without a limit are left out."""


class Clients(BaseModel):
    """The clients of one stream, taken together."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    patience_s: Annotated[
        AnyTime | None,
        Field(alias="patience", description="A request that is not started by then is abandoned: a duration or a law."),
    ] = None
    first_token_timeout_s: Annotated[
        PositiveTime | None,
        Field(alias="first_token_timeout", description="Given up without a first token by then: a duration or a law."),
    ] = None
    token_timeout_s: Annotated[
        PositiveTime | None,
        Field(alias="token_timeout", description="Given up when two tokens are further apart: a duration or a law."),
    ] = None
    total_timeout_s: Annotated[
        PositiveTime | None,
        Field(alias="total_timeout", description="Given up without the whole answer by then: a duration or a law."),
    ] = None
    max_in_flight: Annotated[
        PositiveCount | None,
        Field(
            description="Requests under way at once; more are held back by the client, and count from when it sends."
        ),
    ] = None
    retry: Annotated[AnyRetry | None, Field(description="How a request that failed is sent again.")] = None
    hedge: Annotated[Hedge | None, Field(description="Copies of requests that take long.")] = None

    @property
    def act(self) -> bool:
        """Whether they do anything but send and wait."""
        return any(getattr(self, name) is not None for name in (*LIMITS, "retry", "hedge"))

    def over(self, default: Clients | None) -> Clients:
        """These clients, with what they leave out as the default has it."""
        if default is None:
            return self
        own = {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}
        return default.model_copy(update=own)

    def problems(self) -> Problems:
        """Limits that contradict each other; laws overlap, so only constants are compared."""
        total_s, first_s = constant_s(self.total_timeout_s), constant_s(self.first_token_timeout_s)
        gap_s = constant_s(self.token_timeout_s)
        found: Problems = []
        for key, limit_s in (("first_token_timeout", first_s), ("token_timeout", gap_s)):
            if limit_s is not None and total_s is not None and limit_s > total_s:
                told = f"must not be above total_timeout ({total_s:g} s), which ends before it; got {limit_s:g} s"
                found.append(((key,), told))
        for key, limit_s in (("first_token_timeout", first_s), ("total_timeout", total_s)):
            if self.hedge is not None and limit_s is not None and self.hedge.after_s >= limit_s:
                told = f"must be below {key} ({limit_s:g} s), or no copy is ever sent; got {self.hedge.after_s:g} s"
                found.append((("hedge", "after"), told))
                break
        return found

    @model_validator(mode="after")
    def _agree(self) -> Self:
        problems = self.problems()
        if problems:
            raise said_all(problems)
        return self

    def limits(self, rng_of: RngOf, n: int) -> dict[str, Floats]:
        """What each of n requests' client will bear, in seconds. Each column has random numbers of its own.

        Raises ConfigError for a law that draws no number.
        """
        columns: dict[str, Floats] = {}
        for name in LIMITS:
            law, key = getattr(self, name), name.removesuffix("_s")
            if isinstance(law, Distribution):
                columns[name] = law.draw(rng_of(key), n)
                if np.isnan(columns[name]).any():
                    raise ConfigError(Problem("drew a time that is no number", f"clients.{key}"))
            elif law is not None:
                columns[name] = np.broadcast_to(np.float64(law), n)  # one number, however many requests
        return columns


def merged_limits(streams: Sequence[Limits], arrivals_s: Sequence[Floats]) -> dict[str, Floats]:
    """One column of each limit that any stream has, in the order in which the streams' requests are merged.

    `arrivals_s` are the streams' arrivals. A column is infinite where a stream has no such limit.
    """
    columns: dict[str, Floats] = {}
    names = [name for name in LIMITS if any(name in limits for limits in streams)]
    order = None if len(streams) == 1 or not names else np.argsort(np.concatenate(arrivals_s), kind="stable")
    for name in names:
        parts = [
            limits.get(name, np.broadcast_to(np.inf, len(arrival_s)))
            for limits, arrival_s in zip(streams, arrivals_s, strict=True)
        ]
        columns[name] = parts[0] if order is None else np.concatenate(parts)[order]
    return columns
