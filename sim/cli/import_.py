"""`fleetcast import`: the traffic of a running service as a workload file, from its Prometheus or its request log."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sim.cli.shared.files import check_free, write_files

if TYPE_CHECKING:
    from datetime import tzinfo

    from sim.exchange.traffic.measured import Traffic
    from sim.exchange.traffic.written import Imported


@click.group(short_help="Fit a workload to a Prometheus recording or a request log.")
def command() -> None:
    """Make a workload file of real traffic: its rate over time, its bursts, its lengths, its patience.

    How well it fits stands on top of the file and on stderr. Use the file in a scenario: `workload: FILE`.
    """


def _shared(function: Callable[..., None]) -> Callable[..., None]:
    """The options that both sources have."""
    for option in reversed(
        (
            click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write the workload here."),
            click.option(
                "--history", type=click.Path(path_type=Path), metavar="FILE", help="Write the hourly demand as CSV too."
            ),
            click.option(
                "--shape",
                type=click.Choice(["auto", "history", "week", "day", "constant"]),
                default="auto",
                help="Rate over time: as recorded, a mean week or day, or none. Default: as recorded from 2 h on.",
            ),
            click.option("--bin", "bin_", metavar="DURATION", help="Step of the rate curve. Default: by the data."),
            click.option(
                "--timezone", metavar="ZONE", default="UTC", help="Of midnight, and of stamps without a zone."
            ),
            click.option("--json", "as_json", is_flag=True, help="Print workload and fit as one JSON document."),
            click.option("--force", is_flag=True, help="Replace files that are there."),
            click.option("--quiet", is_flag=True, help="Say nothing on stderr."),
        )
    ):
        function = option(function)
    return function


@command.command("log", short_help="From a log of requests.")
@click.argument("file", metavar="FILE")
@click.option("--map", "maps", multiple=True, metavar="KEY=COLUMN", help="What a column means (repeatable).")
@click.option("--by", metavar="COLUMN", help="Make a stream of each value of this column.")
@click.option("--time-unit", type=click.Choice(["s", "ms", "us", "ns"]), help="Of times that are plain numbers.")
@_shared
def log(file: str, maps: tuple[str, ...], by: str | None, time_unit: str | None, **options: Any) -> None:
    """Fit a workload to FILE: CSV, JSON lines (plain or .gz) or Parquet, a row a request.

    Columns are known by the names that vLLM, SGLang, LiteLLM, OpenAI and the Azure, BurstGPT and Mooncake traces use.
    Others are named by --map: time, prompt_tokens, output_tokens, cached_tokens, outcome, ttft, e2e, first_token, end.
    A key of a nested object is written with dots: --map prompt_tokens=usage.prompt_tokens
    """
    from sim.exchange.traffic.log import read_log

    given = dict(_pair(text) for text in maps)
    if by is not None:
        given["stream"] = by
    unit_s = None if time_unit is None else {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}[time_unit]
    zone = _check(**options)
    _finish(Path(file).name, read_log(file, given, unit_s, zone), zone, **options)


@command.command("prometheus", short_help="From a Prometheus server, or its saved answers.")
@click.argument("sources", metavar="URL|FILE...", nargs=-1, required=True)
@click.option("--last", metavar="DURATION", help="How far back from --end. Default: 14d.")
@click.option("--start", metavar="TIME", help="Instead of --last: an ISO time, UTC if it names no zone.")
@click.option("--end", metavar="TIME", help="Default: now.")
@click.option("--step", metavar="DURATION", help="Between two samples, at best the scrape interval. Default: 1m.")
@click.option("--match", default="", metavar="LABELS", help="""Only series with these: 'namespace="prod"'.""")
@click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="HTTP header to send (repeatable).")
@click.option("--timeout", metavar="DURATION", help="For one answer. Default: 60s.")
@_shared
def prometheus(
    sources: tuple[str, ...],
    last: str | None,
    start: str | None,
    end: str | None,
    step: str | None,
    match: str,
    headers: tuple[str, ...],
    timeout: str | None,
    **options: Any,
) -> None:
    """Fit a workload to what vLLM or SGLang told a Prometheus server.

    URL: the server's address. FILE: saved answers to query_range, of the metrics themselves, not of expressions; one
    or several in a file, one or several files. Each model_name becomes a stream.
    """
    from sim.config.errors import ConfigError, Problem
    from sim.exchange.documents import open_document
    from sim.exchange.traffic.counters import read_counters, traffic_of
    from sim.exchange.traffic.server import Server

    zone = _check(**options)
    given = {"last": last, "start": start, "end": end, "step": step, "timeout": timeout}
    if not any("://" in source for source in sources):
        for option in [name for name, value in (*given.items(), ("match", match), ("header", headers)) if value]:
            raise ConfigError(Problem("is of a server's address; a file holds what it holds", f"--{option}"))
        name = Path(sources[0]).name + (f" and {len(sources) - 1} more" if len(sources) > 1 else "")
        _finish(name, read_counters([open_document(source) for source in sources]), zone, **options)
        return
    if len(sources) > 1 or not sources[0].startswith(("http://", "https://")):
        raise ConfigError(Problem("must be one address, http:// or https://, or files", "URL|FILE"))
    timeout_s = 60.0 if timeout is None else duration_s(timeout, "--timeout")
    server = Server(sources[0], dict(_header(text) for text in headers), timeout_s, match)
    asked = _asked(last, start, end, step)
    _finish(server.name, traffic_of(server.series(*asked), server.name), zone, **options)


def _header(text: str) -> tuple[str, str]:
    from sim.config.errors import ConfigError, Problem

    name, colon, value = text.partition(":")
    if not (colon and name.strip() and value.strip()) or not text.isprintable():
        raise ConfigError(Problem("must be 'NAME: VALUE', such as 'Authorization: Bearer TOKEN'", "--header"))
    return name.strip(), value.strip()


def _asked(last: str | None, start: str | None, end: str | None, step: str | None) -> tuple[float, float, float]:
    """From when, to when and in which steps, in seconds. Raises `ConfigError`."""
    import time

    from sim.config.errors import ConfigError, Problem

    step_s = 60.0 if step is None else duration_s(step, "--step")
    end_s = time.time() // step_s * step_s if end is None else _time_s(end, "--end")
    if start is not None and last is not None:
        raise ConfigError(Problem("does not go with --last; say one of them", "--start"))
    start_s = _time_s(start, "--start") if start is not None else end_s - duration_s(last or "14d", "--last")
    if not end_s - start_s >= 10 * step_s:
        raise ConfigError(Problem(f"must be ten steps of {step_s:g} s or more after the start", "--end"))
    if (end_s - start_s) / step_s > 1_000_000:
        raise ConfigError(Problem("gives more than a million steps: take a longer one", "--step"))
    return start_s, end_s, step_s


def _time_s(text: str, option: str) -> float:
    from datetime import UTC, datetime

    from sim.config.errors import ConfigError, Problem

    try:
        stamp = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(Problem(f"must be a time such as 2026-03-01T14:00Z, got '{text}'", option)) from None
    return (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp()


def _pair(text: str) -> tuple[str, str]:
    from sim.config.errors import ConfigError, Problem

    key, equals, column = text.partition("=")
    if not (key and equals and column):
        raise ConfigError(
            Problem(f"must be KEY=COLUMN, such as prompt_tokens=usage.prompt_tokens; got '{text}'", "--map")
        )
    return key.strip(), column


def _check(out: Path | None, history: Path | None, timezone: str, force: bool, **_: Any) -> tzinfo:
    """Before the work: that files can be written; and the zone that was named. Raises `ConfigError`."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from sim.config.errors import ConfigError, Problem

    for path in (out, history):
        if path is not None:
            check_free(path, force)
    if timezone == "UTC":
        from datetime import UTC

        return UTC
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(Problem(f"no such zone '{timezone}'; name one such as Europe/Berlin", "--timezone")) from None


def _finish(
    source: str,
    traffic: list[Traffic],
    zone: tzinfo,
    *,
    out: Path | None,
    history: Path | None,
    shape: Any,
    bin_: str | None,
    as_json: bool,
    quiet: bool,
    **_: Any,
) -> None:
    """Fit, write and tell."""
    from sim.exchange.traffic.fit import fitted
    from sim.exchange.traffic.written import imported
    from sim.forecast import history_text

    step_s = None if bin_ is None else duration_s(bin_, "--bin")
    found = imported(source, [fitted(each, shape, step_s, zone) for each in traffic])
    files = {} if out is None else {out: found.text()}
    if history is not None:
        files[history] = history_text(found.history())
    write_files(files)
    if as_json:
        click.echo(json.dumps(found.as_document(), indent=1, allow_nan=False))
        return
    _tell(found, out, history, quiet)


def _tell(found: Imported, out: Path | None, history: Path | None, quiet: bool) -> None:
    if out is None:
        click.echo(found.text(), nl=False)
        return
    if not quiet:
        for line in found.lines():
            click.echo(line, err=True)
    click.echo(f"workload written to {out}")
    if history is not None:
        click.echo(f"history written to {history}")


def duration_s(text: str, option: str) -> float:
    """An option's duration in seconds, above 0. Raises `ConfigError`."""
    from pydantic_core import PydanticCustomError

    from sim.config.errors import ConfigError, Problem
    from sim.config.units import DURATION

    try:
        return float(DURATION.positive().parse(text))
    except PydanticCustomError as error:
        raise ConfigError(Problem(error.message(), option)) from None
