"""Numbers by the names people type: a short name, the end of a dotted path, or all of it; and what they are told in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sim.config.catalogue import did_you_mean
from sim.config.errors import ConfigError, Problem
from sim.result import words
from sim.study.replicated.estimates import figures
from sim.study.swept.sweep import MEASURES

OPTION = "--metric"
_SHARES = ("attained", "share", "busy_share", "batch_share", "kv_share")


def paths_of(names: Sequence[str], summary: dict[str, Any]) -> tuple[str, ...]:
    """The dotted paths that names stand for in a summary. Raises `ConfigError` for one that stands for no one path.

    `p99 ttft` is `latency.ttft_s.p99`; of several paths that end in a name, that with the fewest steps is meant.
    """
    known = list(figures(summary))
    return tuple(dict.fromkeys(_path(name, known) for name in names))


def _path(name: str, known: Sequence[str]) -> str:
    asked = MEASURES.get(name, name)
    if asked in known:
        return asked
    endings = [asked]
    parts = asked.replace("_s_", "_s.").split()
    if len(parts) == 2:
        endings += [f"{parts[1]}.{parts[0]}", f"{parts[1]}_s.{parts[0]}"]
    found = [path for path in known if any(path.endswith(f".{ending}") for ending in endings)]
    least = min((path.count(".") for path in found), default=0)
    found = [path for path in found if path.count(".") == least]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(Problem(f"'{name}' may be {' or '.join(found[:4])}; give more of the path", OPTION))
    told = f"no number is called '{name}'{did_you_mean(asked, known)}"
    raise ConfigError(Problem(f"{told}; a dotted path of the summary (--json), such as latency.ttft_s.p99", OPTION))


def called(path: str) -> str | None:
    """What people call a latency of the whole run: `p99 TTFT`; None for other numbers."""
    steps = path.split(".")
    if len(steps) != 3 or steps[0] != "latency":
        return None
    name = steps[1].removesuffix("_s")
    return f"{steps[2]} {words.METRICS.get(name, name.upper())}"


def teller(path: str) -> Callable[[float | None], str]:
    """How a number is told, by the unit in its name."""
    steps = path.split(".")
    if any("usd" in step for step in steps):
        return words.usd
    if steps[-1] in _SHARES or steps[-1].endswith("_share"):
        return words.share
    if any(step.endswith("_s") and not step.endswith("_per_s") for step in steps):
        return words.duration
    return words.count
