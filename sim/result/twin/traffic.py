"""The traffic of a pool in the words of theory: its rate over time, how bursty it is, and what a request asks for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.config.errors import ConfigError
from sim.theory.dispersion import merged
from sim.workload import Generated, Replayed
from sim.workload.arrival import Arrivals
from sim.workload.arrivals import Batch, Curve, Poisson, Renewal, Varying
from sim.workload.closed import Closed
from sim.workload.distributions import Constant, Exponential
from sim.workload.generated import PerToken
from sim.workload.law import Distribution
from sim.workload.randomness import rngs_of

if TYPE_CHECKING:
    from sim.scenario import Scenario
    from sim.workload.base import Columns, Stream

Floats = NDArray[np.float64]
GRID = 4096
"""Instants of a rate that changes: 21 s of a day."""
MOST_ROWS = 200_000
"""Requests of a trace that are read; of longer ones, nothing is said."""
_SESSIONS = 1000
"""Conversations drawn to see how long prompts with a history are."""


@dataclass(frozen=True)
class Work:
    """What a request asks for: a time of service on slots, or tokens."""

    mean_s: float = 0.0
    square_s2: float = 0.0
    """Mean of its square."""
    exponential: bool = False
    sample_s: Floats | None = field(default=None, compare=False)
    """Draws of it, for the time from arrival to finish."""
    prompt: float = 0.0
    prompt_square: float = 0.0
    output: float = 0.0
    output_square: float = 0.0
    prefilled: float = 0.0
    """Prompt tokens that no cache holds."""
    known: bool = True
    """Whether the moments of the service are exact: not of a law that is clamped or rounded."""

    @property
    def scv(self) -> float:
        """Squared coefficient of variation of the service."""
        return max(self.square_s2 / self.mean_s**2 - 1, 0.0) if self.mean_s > 0 else 0.0


@dataclass(frozen=True)
class Part:
    """The requests of one stream."""

    name: str
    rate_per_s: float
    arrived: Floats
    """Expected by each instant of the grid, shape (instants,)."""
    arrivals: Arrivals | None
    """Their law; None of a trace and of the turns of conversations."""
    work: Work


@dataclass(frozen=True)
class Traffic:
    """The streams of a pool, together."""

    at_s: Floats
    parts: tuple[Part, ...]
    untold: tuple[str, ...] = ()
    """What keeps waits from being told."""

    @property
    def horizon_s(self) -> float:
        return float(self.at_s[-1])

    @cached_property
    def arrived(self) -> Floats:
        """Expected by each instant, shape (instants,)."""
        total: Floats = np.sum([part.arrived for part in self.parts], axis=0)
        return total

    @property
    def rate_per_s(self) -> float:
        return math.fsum(part.rate_per_s for part in self.parts)

    @cached_property
    def rates_per_s(self) -> Floats:
        """Between two instants, shape (instants - 1,)."""
        found: Floats = np.diff(self.arrived) / np.diff(self.at_s)
        return found

    @property
    def peak_per_s(self) -> float:
        """The highest rate; of a trace, over the hundredth of its time in which most come."""
        if any(part.arrivals is None for part in self.parts):
            wide = max(len(self.at_s) // 100, 1)
            came, took_s = self.arrived[wide:] - self.arrived[:-wide], self.at_s[wide:] - self.at_s[:-wide]
            return float((came / took_s).max())
        return self.rate_per_s if self.steady else float(self.rates_per_s.max())

    @property
    def steady(self) -> bool:
        """Whether the mean rate stays."""
        return all(part.arrivals is not None and not isinstance(part.arrivals, Varying) for part in self.parts)

    @property
    def changes_s(self) -> float:
        """How fast the rate changes: its mean over its total rise and fall a second; inf if it stays."""
        moved = float(np.abs(np.diff(self.rates_per_s)).sum())
        return self.horizon_s * self.rate_per_s / moved if moved > 0 else math.inf

    @property
    def only(self) -> Arrivals | None:
        """The law of all arrivals, where there is one: of the only stream, or of Poisson streams together."""
        laws = [part.arrivals for part in self.parts]
        if len(laws) == 1:
            return laws[0]
        return Poisson(rate=self.rate_per_s) if all(isinstance(law, Poisson) for law in laws) else None

    @property
    def known(self) -> bool:
        """Whether rates and services are known exactly, not from draws."""
        return self.work.known and all(_is_known(part.arrivals) for part in self.parts)

    @property
    def dispersion(self) -> float | None:
        """Of counts over long times; None where that is not known."""
        found = [None if part.arrivals is None else part.arrivals.dispersion for part in self.parts]
        told = [each for each in found if each is not None]
        return merged([part.rate_per_s for part in self.parts], told) if len(told) == len(found) else None

    @cached_property
    def work(self) -> Work:
        """A request of any stream."""
        rates = np.array([part.rate_per_s for part in self.parts])
        shares = rates / rates.sum() if rates.sum() > 0 else np.full(len(rates), 1 / len(rates))

        def mean(name: str) -> float:
            return float(shares @ np.array([getattr(part.work, name) for part in self.parts]))

        works = [part.work for part in self.parts]
        alike = all(work.exponential and work.mean_s == works[0].mean_s for work in works)
        return Work(
            mean_s=mean("mean_s"),
            square_s2=mean("square_s2"),
            exponential=alike,
            sample_s=works[0].sample_s if len(works) == 1 else None,
            prompt=mean("prompt"),
            prompt_square=mean("prompt_square"),
            output=mean("output"),
            output_square=mean("output_square"),
            prefilled=mean("prefilled"),
            known=all(work.known for work in works),
        )


def horizon_of(scenario: Scenario) -> float:
    """The end of arrivals: the horizon, else the last request of the traces."""
    if scenario.horizon_s is not None:
        return scenario.horizon_s
    ends = [_read(stream, None) for stream in scenario.workload.by_name().values() if isinstance(stream, Replayed)]
    return max((float(columns.arrival_s[-1]) for columns in ends if columns is not None), default=1.0) or 1.0


def traffic_of(scenario: Scenario, streams: list[str], horizon_s: float) -> Traffic:
    """The traffic of some streams. Raises DataError if a file they rest on is wrong."""
    at_s = np.linspace(0.0, horizon_s, GRID + 1)
    parts, untold = [], []
    by_name = scenario.workload.by_name()
    for name in streams:
        part, why = _part(name, by_name[name], at_s, scenario.horizon_s)
        untold += [f"{why} (stream {name})"] if why and len(by_name) > 1 else [why] if why else []
        if part is not None:
            parts.append(part)
    return Traffic(at_s, tuple(parts), tuple(untold))


def _part(name: str, stream: Stream, at_s: Floats, until_s: float | None) -> tuple[Part | None, str]:
    """One stream, and what keeps waits from being told; None where nothing is known."""
    horizon_s = float(at_s[-1])
    if isinstance(stream, Replayed):
        columns = _read(stream, until_s)
        if columns is None:
            return None, f"its trace has more than {MOST_ROWS:,} requests, and is not read for this"
        if not len(columns.arrival_s):
            return None, "its trace has no request before the horizon"
        arrived = np.searchsorted(columns.arrival_s, at_s, side="right").astype(float)
        part = Part(name, len(columns.arrival_s) / horizon_s, arrived, None, _of_columns(columns, stream.cached_share))
        return part, "a trace is no law: only its rate over time is looked at, not how requests bunch within it"
    if not isinstance(stream, Generated):  # somebody's own class, in Python
        return None, "its requests follow no law that is known here"
    law = stream.arrivals
    if isinstance(law, Closed):
        return Part(name, law.mean_rate(horizon_s), law.mean_rate(horizon_s) * at_s, law, _work(stream)), ""
    if stream.session is None:
        part = Part(name, law.mean_rate(horizon_s), _arrived(law, at_s), law, _work(stream))
        drifts = isinstance(law, Curve) and law.drift is not None
        return part, "its rate drifts at random around a curve: how requests bunch is not told" if drifts else ""
    many, rate = stream.session.mean_requests, law.mean_rate(horizon_s)
    drawn_s = min(horizon_s, _SESSIONS / rate) if rate > 0 else horizon_s
    try:
        columns = stream.columns(rngs_of(0, 0, name), drawn_s)
    except ConfigError:  # a turn, drawn for this alone, that no context holds
        return None, "some turns of its conversations are longer than their contexts may be"
    work = _of_columns(columns, stream.cached_share) if len(columns.arrival_s) else _work(stream)
    told = "turns of conversations come when the last one is answered: only their number is told, as if at once"
    if stream.session.history and stream.session.prefix_cache and stream.brings_tokens:
        told += "; and what the prefix cache saves is left out"
    return Part(name, many * law.mean_rate(horizon_s), many * _arrived(law, at_s), None, work), told


def _arrived(law: Arrivals, at_s: Floats) -> Floats:
    if isinstance(law, Varying):
        curve = law.rate_curve
        return np.array([curve.expected(t) for t in at_s.tolist()])
    found: Floats = law.mean_rate(float(at_s[-1])) * at_s
    return found


def _read(stream: Replayed, horizon_s: float | None) -> Columns | None:
    """The rows of a trace; None if they are too many."""
    if stream.expected(horizon_s) > MOST_ROWS or (stream.loop and horizon_s is None):
        return None
    return stream.columns(rngs_of(0, 0, ""), horizon_s)


def _work(stream: Generated) -> Work:
    """What the laws of a stream say of a request."""
    prompt, output = stream.prompt_tokens, stream.output_tokens
    tokens = {
        "prompt": prompt.mean_value if prompt is not None else 0.0,
        "prompt_square": (1 + prompt.scv) * prompt.mean_value**2 if prompt is not None else 0.0,
        # an answer has a token at least, whatever the law says
        "output": max(output.mean_value, 1.0) if output is not None else 0.0,
        "output_square": max((1 + output.scv) * output.mean_value**2, 1.0) if output is not None else 0.0,
    }
    law = stream.service
    asked = Work(
        prompt=tokens["prompt"],
        prompt_square=tokens["prompt_square"],
        output=tokens["output"],
        output_square=tokens["output_square"],
        prefilled=(1 - stream.cached_share) * tokens["prompt"],
    )
    if law is None:
        return asked
    if not isinstance(law, PerToken):
        mean_s, plain = law.mean_value, isinstance(law, Exponential) and law.min is None and law.max is None
        square_s2, clamped = (1 + law.scv) * mean_s**2, law.min is not None or law.max is not None
        return replace(
            asked, mean_s=mean_s, square_s2=square_s2, exponential=plain, sample_s=law.sample(), known=not clamped
        )
    mean_s = law.base + law.prompt * tokens["prompt"] + law.output * tokens["output"]
    spread_s2 = law.prompt**2 * (tokens["prompt_square"] - tokens["prompt"] ** 2)
    spread_s2 += law.output**2 * (tokens["output_square"] - tokens["output"] ** 2)
    only = law.output * output.sample() + law.base if output is not None and not law.prompt else None
    known = (not law.prompt or _is_whole(prompt)) and (not law.output or _is_whole(output))
    return replace(asked, mean_s=mean_s, square_s2=mean_s**2 + spread_s2, sample_s=only, known=known)


def _is_known(law: Arrivals | None) -> bool:
    """Whether the rate and the moments of arrivals are exact: not of clamped gaps, nor of sizes that are rounded."""
    if isinstance(law, Renewal):
        return law.gap.min is None and law.gap.max is None
    return _is_whole(law.size) if isinstance(law, Batch) else True


def _is_whole(law: Distribution[float] | None) -> bool:
    """Whether rounding to whole numbers, at least 1, changes nothing."""
    return isinstance(law, Constant) and law.value >= 1 and float(law.value).is_integer() and law.min is law.max is None


def _of_columns(columns: Columns, cached_share: float) -> Work:
    """What drawn or recorded requests ask for."""
    prompt, output = columns.prompt_tokens.astype(float), columns.output_tokens.astype(float)
    service_s = columns.service_s
    return Work(
        mean_s=float(service_s.mean()),
        square_s2=float((service_s**2).mean()),
        sample_s=service_s if service_s.any() else None,
        prompt=float(prompt.mean()),
        prompt_square=float((prompt**2).mean()),
        output=float(output.mean()),
        output_square=float((output**2).mean()),
        prefilled=(1 - cached_share) * float(prompt.mean()),
        known=False,
    )
