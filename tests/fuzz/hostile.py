"""Inputs that were findings, or that are made to be slow or large: each is to be refused (or answered) at once."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator

Case = tuple[str, str, Callable[[], bytes]]
"""The reader's name, what is wrong, and the input."""

_HEAD = b"name: x\nhorizon: 1m\nworkload: {arrivals: {kind: poisson, rate: 5}, service: {kind: constant, value: 1}}\n"
_POOL = b"{replica: {kind: slots}, autoscaler: {kind: fixed, replicas: 2}}"
_ONE = _HEAD + b"pools: {main: " + _POOL + b"}\n"
_MOST = 4 * 2**20 - 100
"""Bytes of a YAML file that is just not too large."""


def _many(head: bytes, each: bytes, number: int, tail: bytes = b"") -> Callable[[], bytes]:
    """A file with so many parts; `%d` in them is their number."""
    return lambda: head + b"".join(each.replace(b"%d", str(at).encode()) for at in range(number)) + tail


def _filled(head: bytes, part: bytes, tail: bytes = b"", most: int = _MOST) -> Callable[[], bytes]:
    return lambda: head + part * (most // len(part)) + tail


def _bomb() -> bytes:
    levels = [b"l0: &l0 [" + b"x, " * 9 + b"x]"]
    levels += [b"l%d: &l%d [%s]" % (at, at, b", ".join([b"*l%d" % (at - 1)] * 10)) for at in range(1, 30)]
    return b"\n".join(levels)


def _leading_out() -> bytes:
    plot, about = {"data": [], "layout": {}}, {"title": "", "caption": "", "shape": "small"}
    words = dict.fromkeys(("title", "verdict", "mood", "confidence"), "")
    named = {"plots": {"../../evil": plot}, "figures": {"../../evil": about}}
    return json.dumps({"format": "fleetcast-report", **words, "facts": [], "tiles": [], **named}).encode()


def cases() -> Iterator[Case]:
    """All of them."""
    yield "yaml", "aliases that multiply", _bomb
    yield "yaml", "deep lists", _filled(b"a: ", b"[")
    yield "yaml", "deep keys", _filled(b"a: ", b"{b: ")
    yield "yaml", "documents without end", _filled(b"", b"--- a\n")
    yield "yaml", "a number of four million digits", _filled(b"a: ", b"9")
    yield "yaml", "values without end", _filled(b"", b"-\n")
    yield "yaml", "anchors without end", _many(b"", b"k%d: &a%d x\n", 100_000)
    yield "yaml", "a quote that is not closed", _filled(b'a: "', b"x\n")
    yield "yaml", "a lone surrogate", lambda: b'a: "\\ud800"\nb: "\xed\xa0\x80"\n'
    yield "scenario", "unknown keys", _many(_ONE, b"k%d: 1\n", 15_000)
    yield "scenario", "pools that are right", _many(_HEAD + b"pools:\n", b" p%d: " + _POOL + b"\n", 4_500)
    yield "scenario", "pools that are wrong", _many(_HEAD + b"pools:\n", b" p%d: {a: 1, b: {kindx: 1}}\n", 450)
    yield "scenario", "sheets", _many(_HEAD + b"pools:\n", b" p%d: {gpu: h100-sxm}\n", 10_000)
    yield "scenario", "sheets that are not there", _many(_HEAD + b"pools:\n", b" p%d: {gpu: none%d}\n", 10_000)
    yield "scenario", "objectives", _many(_ONE + b"slo:\n", b"- {metric: ttft, under: 1s, share: 99%}\n", 7_000)
    yield "scenario", "a name without end", _filled(_ONE.replace(b"poisson", b"%s"), b"p", most=1_000_000)
    yield "scenario", "a pipe for a trace", lambda: b"name: x\nworkload: {trace: /dev/stdin}\npools: {main: {}}\n"
    yield "scenario", "a device for a trace", lambda: b"name: x\nworkload: {trace: /dev/zero}\npools: {main: {}}\n"
    yield (
        "scenario",
        "a command for a policy",
        lambda: _ONE.replace(b"kind: fixed", b"kind: 'subprocess:Popen', args: [id]"),
    )
    yield (
        "pasted scenario",
        "a file of the machine",
        lambda: _ONE.replace(b"{arrivals", b"{x: ../../etc/passwd, arrivals"),
    )
    yield "--set", "steps without end", _filled(b"a", b".a", b"=1", 100_000)
    yield "--set", "a lone surrogate in a key", lambda: b"a\xff\xff.b=1"
    yield "--over", "values by the million", _many(b"a=", b"%d0000..%d9998,", 40, b"1")
    yield "--over", "a range of 100,000 digits", _filled(b"a=1..", b"9", b":0.1", 100_000)
    yield "points of a sweep", "columns without end", lambda: b",".join(b"k%d" % at for at in range(20_000)) + b"\n1\n"
    yield (
        "trace, packed",
        "rows that are one row",
        lambda: gzip.compress(b"arrival_s,prompt_tokens,output_tokens\n" + b"0,1,1\n" * 3_000_000),
    )
    yield "trace, packed", "nothing but ends of lines", lambda: gzip.compress(b"\n" * 50_000_000)
    yield "trace", "a line without end", _filled(b"arrival_s,prompt_tokens,output_tokens\n", b"1", most=17_000_000)
    yield "trace, JSON lines", "deep lists", _filled(b'{"timestamp":', b"[", most=100_000)
    yield "demand history", "a hole of two million steps", lambda: b"time,rate_per_s\n0,1\n1,1\n1900000,1\n"
    yield "monthly forecast", "a cell without end", _filled(b"month,p10,p50,p90\n", b"x", most=1_000_000)
    yield "benchmark", "deep mappings", _filled(b"", b'{"a":', most=500_000)
    for name in (
        "plan.json",
        "study.json",
        "journal",
        "folder of a search",
        "report.html, its data",
        "share link, opened",
    ):
        yield name, "deep lists", _filled(b"", b"[", most=1_000_000)
    yield (
        "plan.json",
        "a path for its scenario",
        lambda: (
            b'{"format": "fleetcast-plan", "schema_version": 1, "scenario": "/etc/hostname", "version": "0", '
            b'"seed": 1, "feasible": true, "usd_per_hour": 1, "pools": {}, "certificates": []}'
        ),
    )
    yield (
        "journal",
        "a bucket that there is not",
        lambda: (
            b'{"scenario":"x","replication":0,"error":null,"in_time_at_end_share":null,"latency":{"e2e_s":{"buckets":'
            b'[99999999999999999999],"counts":[1],"zeros":0,"sum":1,"least":1,"most":1}},"summary":{"attempts":{"sent":1}}}'
        ),
    )
    yield "report.html, its data", "a picture that leads out of the folder", _leading_out
