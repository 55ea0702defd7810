"""`fleetcast import`: the traffic of a running service as a workload file, from its Prometheus or its request log."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sim.cli.files import check_free, write_whole

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
    if out is not None:
        write_whole(out, found.text())
    if history is not None:
        write_whole(history, history_text(found.history()))
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
