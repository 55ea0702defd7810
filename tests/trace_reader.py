"""A strict reader of Chrome trace events: refuses what a viewer would draw wrong. Times come out in nanoseconds."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

NEEDED = {
    "M": {"name", "pid", "tid", "args"},
    "X": {"name", "cat", "pid", "tid", "ts", "dur", "args"},
    "C": {"name", "pid", "ts", "args"},
    "i": {"name", "cat", "pid", "tid", "ts", "s", "args"},
    "b": {"name", "cat", "pid", "tid", "ts", "id", "args"},
    "e": {"name", "cat", "pid", "tid", "ts", "id"},
}


@dataclass
class Slice:
    """One stretch on a track."""

    name: str
    category: str
    from_ns: int
    to_ns: int
    args: dict[str, Any]

    @property
    def length_ns(self) -> int:
        return self.to_ns - self.from_ns


@dataclass
class Read:
    """A trace."""

    about: dict[str, Any]
    processes: dict[int, str] = field(default_factory=dict)
    threads: dict[tuple[int, int], str] = field(default_factory=dict)
    slices: dict[tuple[int, int], list[Slice]] = field(default_factory=lambda: defaultdict(list))
    counters: dict[tuple[int, str], list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    instants: list[dict[str, Any]] = field(default_factory=list)
    requests: dict[int, list[Slice]] = field(default_factory=dict)
    """By request, in the order in which they begin."""

    def of(self, category: str, name: str = "") -> list[Slice]:
        """All slices of a category whose names begin so."""
        every = (each for track in self.slices.values() for each in track)
        return [each for each in every if each.category == category and each.name.startswith(name)]

    def integral_s(self, pid: int, name: str, to_ns: int) -> float:
        """Of a counter, from its first step to an instant."""
        steps = [step for step in self.counters[pid, name] if step[0] < to_ns] + [(to_ns, 0)]
        return sum(value * (after - at) for (at, value), (after, _) in pairwise(steps)) / 1e9


def read(text: str) -> Read:
    """The trace, or an assertion that says what is wrong with it."""
    document = json.loads(text, parse_float=Fraction)
    assert set(document) == {"displayTimeUnit", "otherData", "traceEvents"}
    assert document["displayTimeUnit"] in ("ms", "ns")
    found = Read(document["otherData"])
    open_requests: dict[int, list[Slice]] = defaultdict(list)
    for event in document["traceEvents"]:
        missing = NEEDED[event["ph"]] - set(event)
        missing -= {"args"} if event["ph"] == "b" else set()
        assert not missing, f"{event} lacks {missing}"
        _take(found, event, open_requests)
    assert not any(open_requests.values()), "a request's stretch never ends"
    for track in found.slices.values():
        _check_nesting(track)
    for steps in found.counters.values():
        assert all(one[0] < other[0] for one, other in pairwise(steps)), "steps not in order"
    assert {pid for pid, _ in [*found.slices, *found.threads]} <= set(found.processes), "a process without a name"
    assert set(found.slices) <= set(found.threads), "a track without a name"
    return found


def _take(found: Read, event: dict[str, Any], open_requests: dict[int, list[Slice]]) -> None:
    phase, pid = event["ph"], event["pid"]
    if phase == "M":
        kind, args = event["name"], event["args"]
        if kind == "process_name":
            found.processes[pid] = args["name"]
        elif kind == "thread_name":
            found.threads[pid, event["tid"]] = args["name"]
        else:
            assert kind in ("process_sort_index", "thread_sort_index")
            assert isinstance(args["sort_index"], int)
        return
    at_ns = _ns(event["ts"])
    if phase == "X":
        length_ns = _ns(event["dur"])
        assert length_ns > 0, f"an empty slice: {event}"
        made = Slice(event["name"], event["cat"], at_ns, at_ns + length_ns, event["args"])
        found.slices[pid, event["tid"]].append(made)
    elif phase == "C":
        assert list(event["args"]) == ["value"]
        assert event["args"]["value"] >= 0
        found.counters[pid, event["name"]].append((at_ns, event["args"]["value"]))
    elif phase == "i":
        assert event["s"] in "gpt"
        found.instants.append({**event, "ts": at_ns})
    elif phase == "b":
        made = Slice(event["name"], event["cat"], at_ns, at_ns, event.get("args", {}))
        open_requests[event["id"]].append(made)
        found.requests.setdefault(event["id"], []).append(made)
    else:
        begun = open_requests[event["id"]].pop()
        assert begun.name == event["name"], "stretches of a request end in another order than they began"
        assert at_ns >= begun.from_ns
        begun.to_ns = at_ns


def _ns(micro: Any) -> int:
    at_ns = Fraction(micro) * 1000
    assert at_ns >= 0
    assert at_ns.denominator == 1, "finer than a nanosecond"
    return int(at_ns)


def _check_nesting(track: list[Slice]) -> None:
    """In the order of the file each slice lies in the one around it, or begins when those before it are over."""
    around: list[Slice] = []
    for each in track:
        while around and around[-1].to_ns <= each.from_ns:
            around.pop()
        assert not around or each.to_ns <= around[-1].to_ns, f"{each} sticks out of {around[-1]}"
        around.append(each)
    assert track == sorted(track, key=lambda each: (each.from_ns, -each.to_ns)), "slices not in order"
