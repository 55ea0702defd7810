"""How far a sweep is, on stderr: runs done, the time that is left, and the best point so far."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from sim.cli.shared.counting import CountBar
from sim.cli.shared.progress import LINE_EVERY_S

if TYPE_CHECKING:
    from sim.study.store import Kept
    from sim.study.store.kept import Key


@dataclass
class Sums:
    """What the runs of one point came to so far."""

    runs: int = 0
    usd: float = 0.0
    ttft_s: float = 0.0
    met: bool = True
    """No run misses an objective."""

    def add(self, summary: dict[str, Any]) -> None:
        """One more run."""
        slow = summary.get("slowness") or {}
        usd = slow.get("fleet_plus_slowness_usd_per_day", summary["cost"]["usd_per_day"])
        tail_s = summary["latency"]["ttft_s"]["p99"]
        self.runs += 1
        self.usd += math.inf if usd is None else usd
        self.ttft_s += math.inf if tail_s is None else tail_s
        self.met = self.met and all(target["met"] is not False for target in summary["slo"])


class Best:
    """The point that is best so far: of those that meet the SLO the cheapest; without prices, the shortest p99 TTFT."""

    def __init__(self) -> None:
        self.points: dict[str, Sums] = {}

    def add(self, run: Kept) -> None:
        """One more run; one that failed tells nothing."""
        if not run.failed:
            self.points.setdefault(run.key[0], Sums()).add(run.document()["summary"])

    def words(self, names: Mapping[str, str]) -> str:
        """`best so far: replicas=8, $1,234 a day`; empty while there is nothing to choose from."""
        from sim.result import words

        if len(self.points) < 2:
            return ""
        good = {digest: sums for digest, sums in self.points.items() if sums.met}
        if not good:
            return "none meets the SLO so far"
        costs = {sums.usd / sums.runs for sums in self.points.values() if math.isfinite(sums.usd)}
        if len(costs) > 1:
            digest = min(good, key=lambda each: good[each].usd / good[each].runs)
            told = f"{words.usd(good[digest].usd / good[digest].runs)} a day"
        else:
            digest = min(good, key=lambda each: good[each].ttft_s / good[each].runs)
            told = f"p99 TTFT {words.duration(good[digest].ttft_s / good[digest].runs)}"
        return f"best so far: {names.get(digest, '')}, {told}"


class Counting:
    """A line on stderr every few seconds, or a bar in a terminal."""

    def __init__(self, names: Mapping[str, str], before: Mapping[Key, Kept], most: int | None = None) -> None:
        """`before`: runs that were there already; `most`: of all, where it is not known how many it will take."""
        self.names = names
        self.before = len(before)
        self.most = most
        self.began = time.monotonic()
        self.last = -LINE_EVERY_S
        self.bar = CountBar() if sys.stderr.isatty() else None
        self.best = Best()
        for run in before.values():
            self.best.add(run)

    def __call__(self, run: Kept, done: int, wanted: int) -> None:
        now, most = time.monotonic(), max(wanted, self.most or 0)
        self.best.add(run)
        if self.bar is not None:
            self.bar(done, most, lambda: self._text(run, done, most))
        elif now - self.last >= LINE_EVERY_S or done >= most:
            self.last = now
            click.echo(self._text(run, done, most), err=True)

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()

    def _text(self, run: Kept, done: int, most: int) -> str:
        from sim.result import words

        at_most = "" if self.most is None else "at most "
        passed_s = time.monotonic() - self.began
        left_s = max(round(passed_s * (most - done) / max(done - self.before, 1)), 1)
        left = f", {at_most or 'about '}{words.duration(left_s)} left" if done < most else ""
        best = self.best.words(self.names)
        told = f"run {done:,} of {at_most}{most:,}: {self.names.get(run.key[0], '')}{left}"
        return f"{told}; {best}" if best else told
