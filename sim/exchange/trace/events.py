"""The events of a trace, one JSON text each. Times in microseconds, with three decimals: exact to the nanosecond.

Format: the "Trace Event Format" document of the Chromium project.
"""

from __future__ import annotations

import json
from typing import Any

from sim.exchange.trace.window import Window


def metadata(kind: str, pid: int, tid: int, **args: Any) -> str:
    """A name or a place in the order, such as `process_name`."""
    return _text({"ph": "M", "name": kind, "pid": pid, "tid": tid, "args": args})


def within(window: Window, from_ns: int, to_ns: int) -> tuple[int, int] | None:
    """What of a stretch lies in the window; None: nothing."""
    begin_ns, end_ns = max(from_ns, window.from_ns), min(to_ns, window.to_ns)
    return (begin_ns, end_ns) if end_ns > begin_ns else None


def slice_(name: str, category: str, pid: int, tid: int, from_ns: int, to_ns: int, args: dict[str, Any]) -> str:
    """A stretch on a track, from its begin to its end."""
    head = json.dumps(name)
    body = f'"pid":{pid},"tid":{tid},"ts":{micro(from_ns)},"dur":{micro(to_ns - from_ns)}'
    return f'{{"ph":"X","name":{head},"cat":"{category}",{body},"args":{_text(args)}}}'


def counter(name: str, pid: int, at_ns: int, value: int) -> str:
    """A count from an instant on."""
    return f'{{"ph":"C","name":"{name}","pid":{pid},"ts":{micro(at_ns)},"args":{{"value":{value}}}}}'


def instant(name: str, category: str, pid: int, tid: int, at_ns: int, args: dict[str, Any]) -> str:
    """Something that happens on a track."""
    head = f'{{"ph":"i","s":"t","name":{json.dumps(name)},"cat":"{category}"'
    return f'{head},"pid":{pid},"tid":{tid},"ts":{micro(at_ns)},"args":{_text(args)}}}'


def nested(phase: str, name: str, pid: int, number: int, at_ns: int, args: dict[str, Any] | None = None) -> str:
    """The begin (`b`) or end (`e`) of a stretch of request `number`, on a track of its own."""
    told = "" if args is None else f',"args":{_text(args)}'
    head = f'{{"ph":"{phase}","cat":"request","name":{json.dumps(name)},"id":{number}'
    return f'{head},"pid":{pid},"tid":0,"ts":{micro(at_ns)}{told}}}'


def micro(at_ns: int) -> str:
    """Nanoseconds as microseconds."""
    whole, rest = divmod(at_ns, 1000)
    return f"{whole}.{rest:03d}".rstrip("0").rstrip(".") if rest else str(whole)


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
