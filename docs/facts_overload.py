"""What `overload.md` quotes: the retry storm as it ships and what is set beside it; every run is made once.

A page reaches these names in `<!--= ... -->`. Each process keeps small things of a run only.
"""

from __future__ import annotations

import functools
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from sim.result import words

STORM = "retry-storm"
LONG = ("horizon=2h",)
"""Long enough for pauses of half an hour to end before the run does."""

Sets = tuple[str, ...]


def _backoff(base: str, cap: str) -> str:
    return f"workload.clients.retry={{kind: exponential, attempts: 4, base: {base}, cap: {cap}, jitter: full}}"


REMEDIES: dict[str, Sets] = {
    "three retries at once, as shipped": (),
    "no retries": ("workload.clients.retry=",),
    "backoff from 0.5 s to 8 s, full jitter": (_backoff("0.5s", "8s"),),
    "a retry budget of 10 %": ("workload.clients.retry.budget=10%",),
    "shedding by estimated wait": ("pools.chat.queue.shed={kind: estimated_wait}",),
    "shedding by delay (CoDel)": ("pools.chat.queue.shed={kind: codel}",),
    "at most 15 waiting": ("pools.chat.queue.max_waiting=15",),
}
"""By name on the page: what is set; the first is the scenario as it ships."""

PAUSES: dict[str, Sets] = {base: (*LONG, _backoff(base, "4h")) for base in ("10s", "10m", "20m", "30m")}
"""By the first pause, which doubles each time: the same clients in a run of two hours."""

IN_PICTURE = (
    "three retries at once, as shipped",
    "backoff from 0.5 s to 8 s, full jitter",
    "a retry budget of 10 %",
    "shedding by estimated wait",
)


@dataclass(frozen=True)
class Storm:
    """What is kept of a run."""

    summary: dict[str, Any]
    verdict: str
    timeline: dict[str, list[float]]

    def __getitem__(self, path: str) -> Any:
        """A number of the summary by its dotted path."""
        found: Any = self.summary
        for key in path.split("."):
            found = found[int(key)] if isinstance(found, list) else found[key]
        return found

    @property
    def completed_share(self) -> float:
        """Of the requests, those that got an answer after any number of attempts."""
        return float(self["requests.completed"] / self["requests.arrived"])


def _run(sets: Sets) -> Storm:
    """Run the scenario and keep what the page needs."""
    from sim import load, simulate

    result = simulate(load(STORM, sets))
    kept = ("start_s", "end_s", "arrivals", "offered", "completed", "waiting")
    columns = {name: result.columns[name].tolist() for name in kept}
    return Storm(result.summary(), result.verdict(), columns)


@functools.cache
def _runs() -> dict[Sets, Storm]:
    """Every run of the page, two at a time; the longest first."""
    wanted = dict.fromkeys([*PAUSES.values(), *REMEDIES.values()])
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as executor:
        jobs = {sets: executor.submit(_run, sets) for sets in wanted}
        return {sets: job.result() for sets, job in jobs.items()}


def storm(case: str = "three retries at once, as shipped") -> Storm:
    """A run by its name on the page, or by its first pause."""
    return _runs()[REMEDIES[case] if case in REMEDIES else PAUSES[case]]


def storm_question() -> str:
    """The question that the scenario asks."""
    from sim import load

    return load(STORM).description


def storm_told() -> str:
    """The command that runs the scenario, and what it says first."""
    return f"```text\n$ fleetcast run {STORM}\n{storm().verdict}\n...\n```"


def capacity_per_s() -> float:
    """Requests a second that the fleet answers when it is always full: much more than it can do comes for a while."""
    return _capacity()


@functools.cache
def _capacity() -> float:
    from sim import load, simulate

    sets = ("horizon=5m", "warmup=0s", "workload.clients=", "workload.arrivals={kind: poisson, rate: 300/s}")
    log = simulate(load(STORM, sets)).log
    return float(len(log.requests) / log.end_s)


def load_share() -> float:
    """What usually comes, of that."""
    from sim import load

    return float(load(STORM).workload.arrivals.rate / capacity_per_s())


def burst_share() -> float:
    """What comes in the burst, of that."""
    from sim import load

    law = load(STORM).workload.arrivals
    return float(law.rate * law.factor / capacity_per_s())


def remedies_table() -> str:
    """The runs side by side: before and after, how long it took, what all of it came to."""
    heads = ("", "in time before", "in time at the end", "back after", "attempts a request", "answered at all")
    lines = [f"| {' | '.join(heads)} |", f"| --- |{' ---: |' * (len(heads) - 1)}"]
    for case in REMEDIES:
        run = storm(case)
        found = run["recovery"]
        cells = (
            case,
            words.share(found["goodput_before_share"]),
            words.share(found["goodput_after_share"]),
            _back(found),
            words.count(run["attempts.amplification"]),
            words.share(run.completed_share),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def pauses_table() -> str:
    """What the first pause of an exponential backoff does, over two hours."""
    lines = ["| first pause | in time at the end | back after | attempts a request |", "| ---: | ---: | ---: | ---: |"]
    for base in PAUSES:
        run = storm(base)
        found = run["recovery"]
        cells = (
            base,
            words.share(found["goodput_after_share"]),
            _back(found),
            words.count(run["attempts.amplification"]),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _back(found: dict[str, Any]) -> str:
    after_s = found["recovered_after_s"]
    return f"**{found['state']}**" if after_s is None else words.duration(after_s)


def storm_commands() -> str:
    """Each remedy as a command."""
    lines = [
        " ".join([f"$ fleetcast run {STORM}", *(f"--set '{one}'" for one in sets)])
        for sets in REMEDIES.values()
        if sets
    ]
    return "\n".join(["```text", *lines, "```"])
