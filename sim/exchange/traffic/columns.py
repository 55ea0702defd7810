"""What the columns of request logs are called, and the units their names tell.

Names of the 2023 Azure, BurstGPT and Mooncake traces, of vLLM's and SGLang's benchmarks, LiteLLM's spend log, OpenAI's
`usage` object and this simulator's own `requests.parquet`. A unit is told by the name, never guessed from the values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sim.config.catalogue import did_you_mean
from sim.config.errors import ConfigError, DataError, Problem

NAMES: dict[str, tuple[str, ...]] = {
    "time": (
        *("arrival_s", "arrived_at", "TIMESTAMP", "timestamp", "Timestamp", "time", "ts", "startTime", "start_time"),
        *("created_at", "created", "request_start_ns", "arrival_time_ns", "arrival_time", "timestamp_ms", "t_ms"),
    ),
    "prompt_tokens": (
        *("prompt_tokens", "ContextTokens", "Request tokens", "input_length", "input_tokens", "input_toks"),
        *("prompt_len", "usage.prompt_tokens", "usage.input_tokens", "inp"),
    ),
    "output_tokens": (
        *("output_tokens", "completion_tokens", "GeneratedTokens", "Response tokens", "output_length", "output_toks"),
        *("output_len", "generation_tokens", "usage.completion_tokens", "usage.output_tokens", "out"),
    ),
    "cached_tokens": (
        *("cached_tokens", "cache_read_input_tokens", "usage.prompt_tokens_details.cached_tokens"),
        *("usage.cache_read_input_tokens",),
    ),
    "outcome": ("outcome", "finish_reason", "finished_reason", "status", "status_code", "http_status"),
    "first_token": ("first_token_s", "completionStartTime"),
    "ttft": ("ttft_s", "ttft_ms", "ttft"),
    "end": ("finish_s", "endTime", "end_time"),
    "e2e": ("e2e_s", "e2e_ms", "latency_s", "latency_ms", "duration_s", "duration_ms", "Elapsed time"),
    "stream": (),
}
"""What a column may be called, by what it means; the likeliest first. `first_token` and `end` are times of the clock,
`ttft` and `e2e` durations. `stream` is only taken where it is named."""
NEEDED = ("time", "prompt_tokens", "output_tokens")

_UNITS = {"_ns": 1e-9, "_us": 1e-6, "_ms": 1e-3}
_GAVE_UP = frozenset(
    ("abort", "aborted", "abandoned", "cancelled", "canceled", "client_closed", "disconnected", "timed_out", "timeout")
) | {"499"}
_FAILED = frozenset(["failed", "failure", "error", "errored", "rejected", "unfinished"])


def chosen(header: Sequence[str], given: Mapping[str, str], file: str, nested: bool) -> dict[str, str]:
    """The column of each thing that is there: those given by the user, else by their names.

    Raises `ConfigError` for a thing that does not exist, `DataError` for a column that is missing.
    """
    for key in given:
        if key not in NAMES:
            raise ConfigError(Problem(f"maps '{key}'{did_you_mean(key, NAMES)}; known: {', '.join(NAMES)}", "--map"))
    found: dict[str, str] = {}
    for key, names in NAMES.items():
        if key in given:
            name = given[key]
            if name not in header and not (nested and "." in name):
                have = ", ".join(header)[:300]
                raise DataError(
                    Problem(f"no such column, which --map names for {key}; the columns are: {have}", name, file)
                )
            found[key] = name
            continue
        name = next((each for each in names if _there(each, header, nested)), "")
        if name:
            found[key] = name
    missing = [key for key in NEEDED if key not in found]
    if missing:
        have = ", ".join(header)[:300] or "none"
        told = f"has no column for {' and '.join(missing)}; its columns: {have}. Name it: --map {missing[0]}=COLUMN"
        raise DataError(Problem(told, "", file))
    return found


def _there(name: str, header: Sequence[str], nested: bool) -> bool:
    return name in header or (nested and "." in name and name.partition(".")[0] in header)


def scale_of(name: str) -> float:
    """Seconds of the unit that a column's name tells; 1 if it tells none."""
    return next((scale for ending, scale in _UNITS.items() if name.endswith(ending)), 1.0)


def outcome_of(text: object) -> str:
    """`completed`, `gave_up` or `failed`, by what a log calls it."""
    plain = str(text).strip().lower()
    if plain in _GAVE_UP:
        return "gave_up"
    if plain in _FAILED or (len(plain) == 3 and plain.isdigit() and plain[0] in "45"):
        return "failed"
    return "completed"
