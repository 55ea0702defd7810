"""Generated streams: arrivals, lengths and service times drawn from laws."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.config.errors import ConfigError, Problem
from sim.config.said import said
from sim.config.units import Duration
from sim.workload.arrivals import AnyArrivals
from sim.workload.base import Columns, Floats, Stream, Tokens
from sim.workload.closed import Closed
from sim.workload.distributions import DurationLaw, TokenLaw, durations_or
from sim.workload.drawing import drawn_tokens
from sim.workload.histories import histories
from sim.workload.prefixes import by_first_use
from sim.workload.randomness import RngOf
from sim.workload.returning import ComesBack
from sim.workload.sessions import Session
from sim.workload.sound import times

__all__ = ["Generated", "PerToken", "ServiceLaw", "service_times"]


class PerToken(BaseModel):
    """A service time that follows the request's length: base + prompt * prompt_tokens + output * output_tokens.

    The first token is out after base + prompt * prompt_tokens + output.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["per_token"] = "per_token"
    base: Annotated[Duration, Field(description="Once a request.")] = 0.0
    prompt: Annotated[Duration, Field(description="For each prompt token.")] = 0.0
    output: Annotated[Duration, Field(description="For each output token.")] = 0.0

    @model_validator(mode="after")
    def _check(self) -> PerToken:
        if not (self.base or self.prompt or self.output):
            raise said("needs base, prompt or output above 0")
        return self


if TYPE_CHECKING:
    ServiceLaw: TypeAlias = DurationLaw | PerToken
else:
    ServiceLaw = durations_or(PerToken)


class Generated(Stream):
    """Requests drawn from laws."""

    arrivals: Annotated[AnyArrivals, Field(description="When requests come.")]
    prompt_tokens: Annotated[TokenLaw | None, Field(description="Length of the prompts.")] = None
    output_tokens: Annotated[TokenLaw | None, Field(description="Length of the answers.")] = None
    service: Annotated[ServiceLaw | None, Field(description="Service time on a `slots` replica.")] = None
    session: Annotated[
        Session | None, Field(description="Arrivals are those of conversations, which go on turn by turn.")
    ] = None

    @model_validator(mode="after")
    def _check_session(self) -> Generated:
        session = self.session
        if session is None:
            return self
        if isinstance(self.arrivals, Closed):
            raise said("does not go with closed arrivals, where each user asks on and on; use one of them", "session")
        if session.history and not self.brings_tokens:
            raise said("needs prompt_tokens and output_tokens of the stream; or history: false", "session", "history")
        if session.history and session.prefix_cache and self.cached_share:
            told = "the history of a session tells what is cached; take this key out or set session.prefix_cache: false"
            raise said(told, "cached_share")
        for name, given in (("prompt_tokens", session.prompt_tokens), ("tools", session.tools)):
            if given is not None and not self.brings_tokens:
                raise said("needs prompt_tokens and output_tokens of the stream", "session", name)
        return self

    @model_validator(mode="after")
    def _check(self) -> Generated:
        if self.service is None:
            missing = [name for name in ("prompt_tokens", "output_tokens") if getattr(self, name) is None]
            if missing:
                raise said(f"needs {' and '.join(missing)} (for batching replicas) or service (for slots replicas)")
        if isinstance(self.service, PerToken):
            for name in ("prompt", "output"):
                if getattr(self.service, name) and getattr(self, f"{name}_tokens") is None:
                    raise said(f"is a time per {name} token, but the stream has no {name}_tokens", "service", name)
        return self

    @property
    def brings_service(self) -> bool:
        return self.service is not None

    @property
    def brings_tokens(self) -> bool:
        return self.prompt_tokens is not None and self.output_tokens is not None

    @property
    def ends(self) -> bool:
        return False

    @property
    def persists(self) -> bool:
        return isinstance(self.arrivals, Closed)

    @property
    def comes_back(self) -> ComesBack | None:
        if isinstance(self.arrivals, Closed):
            return self.arrivals.comes_back
        return None if self.session is None else self.session.comes_back

    def expected(self, horizon_s: float | None) -> float:
        if horizon_s is None:
            return math.inf
        arrive = self.arrivals.mean_rate(horizon_s) * horizon_s
        if isinstance(self.arrivals, Closed):
            return arrive * (1 + self.arrivals.each(0, self.arrivals.users))
        return arrive * (1.0 if self.session is None else self.session.mean_requests)

    def columns(self, rng_of: RngOf, horizon_s: float | None) -> Columns:
        if horizon_s is None:
            raise ConfigError("needs a horizon: generated arrivals never end by themselves")
        arrival_s = times(self.arrivals.arrivals(rng_of, horizon_s), horizon_s, type(self.arrivals).__name__)
        n = len(arrival_s)
        if isinstance(self.arrivals, Closed):
            return self._rounds(rng_of, arrival_s, n, 0)
        if self.session is not None:
            return self._talks(self.session, rng_of, arrival_s)
        return self._served(rng_of, arrival_s, *self._tokens(rng_of, n))

    def pieces(self, rng_of: RngOf, horizon_s: float | None, rows: int) -> Iterator[Columns]:
        if horizon_s is None or self.whole_only is not None:
            yield from super().pieces(rng_of, horizon_s, rows)
            return
        some, last_s = False, 0.0
        for piece in self.arrivals.pieces(rng_of, horizon_s, rows):
            arrival_s = times(piece, horizon_s, type(self.arrivals).__name__, last_s)
            if len(arrival_s):
                some, last_s = True, float(arrival_s[-1])
                yield self._served(rng_of, arrival_s, *self._tokens(rng_of, len(arrival_s)))
        if not some:
            yield self._served(rng_of, np.empty(0), *self._tokens(rng_of, 0))

    @property
    def whole_only(self) -> Problem | None:
        if isinstance(self.arrivals, Closed):
            return Problem("a closed population asks as it is answered", "arrivals")
        if self.session is not None:
            return Problem("the turns of sessions follow one another", "session")
        return None

    def further(self, rng_of: RngOf, users: int, chunk: int) -> Columns:
        if not users:
            return super().further(rng_of, users, chunk)
        return self._rounds(rng_of, np.empty(0), users, chunk)

    def _tokens(self, rng_of: RngOf, n: int) -> tuple[Tokens, Tokens]:
        """Prompts and answers of n requests that follow nobody."""
        prompt = drawn_tokens(self.prompt_tokens, "prompt_tokens", rng_of, n, absent=0)
        return prompt, drawn_tokens(self.output_tokens, "output_tokens", rng_of, n, absent=1)

    def _served(self, rng_of: RngOf, arrival_s: Floats, prompt: Tokens, output: Tokens) -> Columns:
        return Columns(arrival_s, prompt, output, *service_times(self.service, rng_of, prompt, output))

    def _rounds(self, rng_of: RngOf, arrival_s: Floats, users: int, chunk: int) -> Columns:
        """A chunk of the requests of a closed population."""
        assert isinstance(self.arrivals, Closed)
        links = self.arrivals.links(rng_of, users, chunk)
        n = len(links.then)
        arrival_s = np.append(arrival_s, np.full(n - len(arrival_s), np.inf))
        return replace(self._served(rng_of, arrival_s, *self._tokens(rng_of, n)), links=links)

    def _talks(self, session: Session, rng_of: RngOf, arrival_s: Floats) -> Columns:
        """Conversations that begin at these times: their first turns, as without sessions, and what follows."""
        sessions = len(arrival_s)
        first, first_output = self._tokens(rng_of, sessions)
        follow = session.followers(rng_of, sessions)
        starts, later = follow.starts, len(follow.calls)
        new, output = np.empty(len(starts), np.int32), np.empty(len(starts), np.int32)
        new[starts], output[starts] = first, first_output
        new[~starts] = session.new_tokens(self.prompt_tokens, rng_of, later)
        output[~starts] = drawn_tokens(
            self.output_tokens, "turn_output_tokens", rng_of, later, absent=1, place="output_tokens"
        )
        told = histories(starts, new, output, session.max_context) if session.history else None
        prompts, outputs = np.empty(follow.rows, np.int32), np.empty(follow.rows, np.int32)
        row, call = follow.turn_rows, follow.call_rows
        prompts[row], outputs[row] = new if told is None else told.prompt_tokens, output
        delay_s = np.empty(0)
        if session.tools is not None:
            prompts[call], outputs[call], delay_s = session.tools.drawn(rng_of, len(call))
        arrival_s = np.append(arrival_s, np.full(follow.rows - sessions, np.inf))
        columns = replace(self._served(rng_of, arrival_s, prompts, outputs), links=follow.links(delay_s))
        if told is None or not session.prefix_cache or not self.brings_tokens:
            return columns
        return replace(columns, prefixes=by_first_use(told.blocks(output).at(row, follow.rows)))


def service_times(law: ServiceLaw | None, rng_of: RngOf, prompt: Tokens, output: Tokens) -> tuple[Floats, Floats]:
    """Service times and their part before the first token, each of shape (n,); one array if the answer comes whole."""
    n = len(prompt)
    if law is None:
        none = np.zeros(n)
        return none, none
    if not isinstance(law, PerToken):
        drawn_s = law.draw(rng_of("service"), n)
        if not np.isfinite(drawn_s).all():
            raise ConfigError(Problem("drew an infinite time; give the law a `max`", "service"))
        return drawn_s, drawn_s
    head_s = np.full(n, law.base)
    if law.prompt:
        head_s += law.prompt * prompt
    service_s: Floats = law.output * output.astype(np.float64)
    service_s += head_s
    head_s += law.output
    return service_s, head_s
