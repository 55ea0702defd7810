"""A fitted workload as a file: where it comes from and how well it fits on top, as comments."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sim.config.dump import to_yaml
from sim.exchange.traffic.fit import Fit, workload_of
from sim.exchange.traffic.goodness import Goodness, LengthFit, goodness, in_even_steps
from sim.exchange.traffic.measured import Traffic
from sim.forecast import BackTest, DemandHistory
from sim.forecast.history import HOUR_S

_WIDTH = 118


@dataclass(frozen=True)
class Imported:
    """All that an import makes of a recording."""

    source: str
    fits: tuple[Fit, ...]
    fitness: tuple[Goodness, ...]

    @property
    def workload(self) -> dict[str, Any]:
        """As a scenario spells it."""
        return workload_of(list(self.fits))

    def as_document(self) -> dict[str, Any]:
        """Plain values for JSON."""
        first = self.fits[0].traffic
        streams = [
            {"stream": fit.traffic.name, "shape": fit.shape, "notes": list(fit.notes), **good.as_document()}
            for fit, good in zip(self.fits, self.fitness, strict=True)
        ]
        told = {"source": self.source, "from": _when(first, 0.0), "span_s": first.counts.span_s}
        found: dict[str, Any] = _plain({"schema_version": 1, **told, "workload": self.workload, "streams": streams})
        return found

    def text(self) -> str:
        """The workload file."""
        comments = "".join(f"# {line}".rstrip() + "\n" for line in self.lines())
        return comments + to_yaml(self.workload)

    def lines(self) -> list[str]:
        """Where the workload comes from and how well it fits, as plain lines."""
        first = self.fits[0].traffic
        span = f"{_when(first, 0.0)} to {_when(first, first.counts.span_s)}"
        found = [f"Traffic imported from {self.source}: {span}.", ""]
        for fit, good in zip(self.fits, self.fitness, strict=True):
            found += [*_about(fit, good), ""]
        return found[:-1]

    def history(self) -> DemandHistory:
        """The demand of all streams together, by the hour; by the minute, at least, if it is shorter than ten hours."""
        counts = [fit.traffic.counts for fit in self.fits]
        total = sum(each.rate_per_s for each in counts[1:]) + counts[0].rate_per_s
        together = DemandHistory(counts[0].start_s, counts[0].step_s, total)
        return in_even_steps(together.from_whole(HOUR_S) if together.span_s >= 10 * HOUR_S else together)


def imported(source: str, fits: list[Fit]) -> Imported:
    """The laws of all streams with how well they fit."""
    return Imported(source, tuple(fits), tuple(goodness(fit) for fit in fits))


def _plain(value: Any) -> Any:
    """Without keys and numbers that JSON has no words for: what could not be told is None."""
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _when(traffic: Traffic, after_s: float) -> str:
    if not traffic.dated:
        return f"second {after_s:g}"
    at = datetime.fromtimestamp(traffic.counts.start_s + after_s, UTC)
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _about(fit: Fit, good: Goodness) -> list[str]:
    """A stream's laws and how well they fit."""
    name = f"{fit.traffic.name}: " if fit.traffic.name else ""
    shape = {"history": "follows the recording", "week": "mean week, from Monday", "day": "mean day, from midnight"}
    steps = f", in steps of {fit.step_s:g} s" if fit.step_s else ""
    errors = ", ".join(f"{error:.1%} at {step}" for step, error in good.rate_error.items())
    told = shape.get(fit.shape, "constant")
    found = [
        f"{name}{good.requests:,.0f} requests, {good.rate_per_s:.4g}/s; rate: {told}{steps}",
        f"  error of the rate, chance included: {errors}",
        f"  bursts: {good.bursts_law}; variance of counts over mean, measured and law:"
        if good.bursts
        else "  bursts: not told by these steps; Poisson arrivals are taken",
    ]
    found += [f"    {window:>6g} s  {measured:8.2f}  {law:8.2f}" for window, measured, law in good.bursts]
    found += [_of_lengths("prompt_tokens", good.prompt), _of_lengths("output_tokens", good.output)]
    found += _of_back_test(good.back_test)
    for note in fit.notes:
        found += textwrap.wrap(f"note: {note}", _WIDTH - 4, initial_indent="  ", subsequent_indent="    ")
    return found


def _of_lengths(key: str, good: LengthFit) -> str:
    distance = "" if math.isnan(good.ks) else f"Kolmogorov-Smirnov distance {good.ks:.3f}, "
    mean = "not recorded" if math.isnan(good.mean_in) else f"{good.mean_in:.4g}"
    return f"  {key}: {distance}mean {mean}, law {good.mean_out:.4g}"


def _of_back_test(found: BackTest) -> list[str]:
    best = found.scores[0]
    if math.isnan(best.mase):
        return [f"  back-test: {'; '.join(found.notes) or 'no errors could be told'}"]
    window = f"{found.windows} x {found.window_s / 3600:.3g} h"
    held = "not told" if best.coverage is None else f"{best.coverage:.0%} of steps (80 % wanted)"
    scores = f"MASE {best.mase:.2f} (last {best.last_mase:.2f})"
    wrapped = [f"  back-test ({window}): {best.model}, {scores}, p10 to p90 held {held}"]
    for note in found.notes:
        wrapped += textwrap.wrap(note, _WIDTH - 4, initial_indent="    ", subsequent_indent="    ")
    return wrapped
