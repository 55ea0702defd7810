"""Generated streams: arrivals, lengths and service times drawn from laws."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.config.errors import ConfigError, Problem
from sim.config.said import said
from sim.config.units import Duration
from sim.workload.arrivals import AnyArrivals
from sim.workload.base import Columns, Floats, Stream, Tokens
from sim.workload.distributions import Constant, Distribution, DurationLaw, TokenLaw, durations_or
from sim.workload.randomness import RngOf
from sim.workload.rows import MOST_TOKENS

__all__ = ["Generated", "PerToken", "ServiceLaw", "service_times"]

_CHUNK = 1 << 20  # rows drawn at a time: temporaries stay small beside the columns


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

    def expected(self, horizon_s: float | None) -> float:
        return math.inf if horizon_s is None else self.arrivals.mean_rate(horizon_s) * horizon_s

    def columns(self, rng_of: RngOf, horizon_s: float | None) -> Columns:
        if horizon_s is None:
            raise ConfigError("needs a horizon: generated arrivals never end by themselves")
        arrival_s = self.arrivals.arrivals(rng_of, horizon_s)
        n = len(arrival_s)
        prompt = _drawn_tokens(self.prompt_tokens, "prompt_tokens", rng_of, n, absent=0)
        output = _drawn_tokens(self.output_tokens, "output_tokens", rng_of, n, absent=1)
        return Columns(arrival_s, prompt, output, *service_times(self.service, rng_of, prompt, output))


def _drawn_tokens(law: Distribution[float] | None, name: str, rng_of: RngOf, n: int, *, absent: int) -> Tokens:
    """Whole tokens from a law, shape (n,), at least 1; a constant 0 stays 0 for prompts."""
    if law is None or (absent == 0 and isinstance(law, Constant) and law.value == 0):
        return np.full(n, absent, dtype=np.int32)
    rng = rng_of(name)
    tokens = np.empty(n, dtype=np.int32)
    for at in range(0, n, _CHUNK):
        drawn = law.draw(rng, min(_CHUNK, n - at))
        most = float(drawn.max())
        if not most <= MOST_TOKENS:
            raise ConfigError(Problem(f"drew {most:.4g} tokens for one request; give the law a `max`", name))
        np.rint(drawn, out=drawn)
        tokens[at : at + _CHUNK] = np.maximum(drawn, 1.0, out=drawn)
    return tokens


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
