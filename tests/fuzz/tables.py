"""Readers of tables: traces in every format and container, curves, histories, forecasts, points of a sweep, logs."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Sequence
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Any

from sim.exchange.traffic.fit import fitted
from sim.exchange.traffic.log import read_log
from sim.exchange.traffic.written import imported
from sim.forecast.history import history_text, read_history
from sim.scenario import Scenario, load
from sim.scenario.plan_over_time import MonthlyFile
from sim.study.purchased.monthly_file import read_monthly
from sim.study.swept.sweep import listed
from sim.workload.traces import format_names, peek, read_trace
from tests.fuzz.reader import Reader, may
from tests.fuzz.scenarios import BATCHING
from tests.studies import SCENARIO

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 18:17:04.03,3180,8\n"
BURST = (
    "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    "5,ChatGPT,472,18,490,Conversation log\n45,GPT-4,1087,0,1087,API log\n"
)
MOONCAKE = (
    '{"timestamp": 0, "input_length": 6758, "output_length": 500, "hash_ids": [0, 1, 2]}\n'
    '{"timestamp": 3000, "input_length": 700, "output_length": 5, "hash_ids": [0, 3]}\n'
)
PLAIN = "arrival_s,prompt_tokens,output_tokens\n0,10,1\n5,20,2\n9.5,30,3\n"
SERVICE = "arrival_s,service_s\n0,1.5\n2,0.25\n"
LOG = (
    "time,prompt_tokens,output_tokens,outcome,ttft_s,e2e_s,model\n2026-03-01 14:00:00,10,5,completed,0.1,1,a\n"
    "2026-03-01T14:00:05Z,20,6,completed,0.2,1.5,b\n2026-03-01T14:01:00+01:00,30,0,timed_out,,9,a\n"
    "2026-03-01 15:00:00,5,9,completed,0.1,1,a\n"
)
LOGGED = (
    '{"created": 1764000000, "usage": {"prompt_tokens": 10, "completion_tokens": 5}}\n'
    '{"created": 1764000009, "usage": {"prompt_tokens": 30, "completion_tokens": 8}}\n'
)
HISTORY = "time,rate_per_s\n2026-03-01T00:00,1.5\n2026-03-01T01:00,2\n2026-03-01T03:00,nan\n2026-03-01T04:00,3\n"
MONTHS = "month,p10,p50,p90\n2026-01,1,2,3\n2026-02,1.5,2.5,4\n2026-03,2,3,5\n"
NAMED = MONTHS.replace("p10,p50,p90", "low,base,high")
POINTS = "seed,pools.main.autoscaler.replicas\n1,4\n2,5\n"
CURVE = "t_s,rate_per_s\n0,1\n10,2.5\n20,0\n"
WEIGHTS = "value,weight\n1,0.5\n10,0.25\n100,0.25\n"


def texts(*found: str) -> Callable[[], Sequence[bytes]]:
    return lambda: [text.encode() for text in found]


def _trace(path: Path) -> object:
    kind = format_names()[path.stat().st_size % len(format_names())]
    may(read_trace, str(path), kind)
    may(partial(read_trace, start_s=1.0, prefixes=False), str(path))
    return peek(str(path)), read_trace(str(path), limit=1000)


def _traced(path: Path) -> object:
    """A scenario that replays it; the formats that a name tells are all there is to say."""
    return load({**BATCHING, "workload": {"trace": str(path)}})


def _curve(path: Path) -> object:
    """A rate curve, then a law of lengths, each as a run draws from it."""
    curve = {**BATCHING["workload"], "arrivals": {"kind": "curve", "file": str(path)}}
    lengths = {**BATCHING["workload"], "prompt_tokens": {"kind": "histogram", "file": str(path)}}
    rates = may(_drawn, load({**BATCHING, "workload": curve}))
    return _drawn(load({**BATCHING, "workload": lengths})) if rates is None else rates


def _drawn(scenario: Scenario) -> object:
    expected = scenario.workload.expected_requests(5.0)
    return scenario.workload.demand(scenario.seed, 0, 5.0) if expected < 10_000 else expected


def _history(path: Path) -> object:
    found = read_history(str(path))
    return found.filled, found.coarser(86_400.0), found.from_whole(3600.0), history_text(found)


def _months(path: Path) -> object:
    given = MonthlyFile.model_validate({"file": str(path)})
    return may(read_monthly, given, 2, "2026-02"), read_monthly(given, 3, None)


def _points(path: Path) -> object:
    return None if path.read_bytes().count(b"\n") > 8 else listed(SCENARIO, (), path)  # type: ignore[arg-type]


def _log(path: Path) -> object:
    return may(read_log, str(path), {"stream": "model"}), read_log(str(path))


def _imported(path: Path) -> object:
    traffic = read_log(str(path))
    found = imported("log", [fitted(each, "auto", None, UTC) for each in traffic])
    return found.text(), found.lines(), history_text(found.history())


def packed() -> list[bytes]:
    return [gzip.compress(text.encode(), mtime=0) for text in (AZURE, MOONCAKE, PLAIN)]


def parquet() -> list[bytes]:
    """Tables of right and of odd types."""
    import pyarrow as pa

    times, tokens = [0.0, 1.5, 2.5], [10, 20, 30]
    odd: list[Any] = [
        ["a", "b", None],
        [None, None, None],
        [[1, 2], [], None],
        [{"x": 1}, None, {"x": 2}],
        [b"\xff", b"", None],
        [True, False, None],
        [float("nan"), float("inf"), -1.0],
        [2**62, -1, 0],
    ]
    tables = [{"arrival_s": times, "prompt_tokens": tokens, "output_tokens": tokens, "model": ["a", "b", "a"]}]
    tables += [{"arrival_s": times, "prompt_tokens": each, "output_tokens": tokens} for each in odd]
    tables += [{"arrival_s": each, "prompt_tokens": tokens, "output_tokens": tokens} for each in odd]
    made = [pa.table(table) for table in tables]
    whole = made[0]
    made.append(whole.set_column(0, "arrival_s", pa.array([0, 1, 2], pa.timestamp("us"))))
    made.append(whole.set_column(1, "prompt_tokens", pa.array(["1", "2", "1"]).dictionary_encode()))
    made.append(whole.set_column(0, "arrival_s", pa.array([0, 1, 2], pa.decimal128(20, 5))))
    made.append(whole.set_column(0, "arrival_s", pa.array([0, 1, 2**62], pa.duration("ns"))))
    made.append(whole.set_column(0, "arrival_s", pa.array([0, 1, 2**31 - 1], pa.date32())))
    return [_written(table) for table in made]


def _written(table: Any) -> bytes:
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(table, out, compression="none", store_schema=False)
    return out.getvalue()


READERS = (
    Reader("trace", _trace, texts(AZURE, BURST, MOONCAKE, PLAIN, SERVICE), "csv", 4, "t.csv"),
    Reader("trace, JSON lines", _trace, texts(MOONCAKE), "json", 4, "t.jsonl"),
    Reader("trace, packed", _trace, packed, "bytes", 2, "t.gz"),
    Reader("trace, Parquet", _trace, parquet, "bytes", 1.5, "t.parquet"),
    Reader("trace, in a scenario", _traced, texts(AZURE, BURST, MOONCAKE, PLAIN), "csv", 0.02, "t.csv"),
    Reader("curve and histogram", _curve, texts(CURVE, WEIGHTS), "csv", 0.1, "c.csv"),
    Reader("demand history", _history, texts(HISTORY), "csv", 18, "h.csv"),
    Reader("monthly forecast", _months, texts(MONTHS, NAMED), "csv", 18, "m.csv"),
    Reader("points of a sweep", _points, texts(POINTS), "csv", 0.3, "p.csv", anywhere=True),
    Reader("request log", _log, texts(LOG, AZURE, PLAIN), "csv", 0.4, "l.csv"),
    Reader("request log, JSON lines", _log, texts(LOGGED, MOONCAKE), "json", 1, "l.jsonl"),
    Reader("request log, Parquet", _log, parquet, "bytes", 0.5, "l.parquet"),
    Reader("request log, fitted", _imported, texts(LOG, PLAIN), "csv", 0.01, "l.csv"),
)  # fmt: skip
