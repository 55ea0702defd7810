"""`fleetcast export metrics`: a run as vLLM's metrics, for a Prometheus."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import click

from sim.cli.export.exported import duration_of, file_of, of_scenario, simulated, told, written
from sim.cli.shared.files import check_free
from sim.cli.shared.options import FORCE_FILE, QUIET

STARTS = datetime(2026, 1, 1, tzinfo=UTC)


@click.command("metrics", short_help="Write vLLM's metrics of a run, for Prometheus.")
@of_scenario
@click.option("--every", metavar="TIME", help="From sample to sample (default: 15s, more for large runs).")
@click.option(
    "--start",
    metavar="WHEN",
    help="When the run's hour 0 was, UTC (default: the scenario's `starts`, or 2026-01-01T00:00:00Z).",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE[.gz]", help="Write a file, not to stdout.")
@FORCE_FILE
@click.option("--json", "as_json", is_flag=True, help="Say what was written to --out as one JSON document.")
@QUIET
def metrics(
    scenario: str,
    sets: tuple[str, ...],
    every: str | None,
    start: str | None,
    out: Path | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Simulate SCENARIO and write what its vLLM servers would have exported, as OpenMetrics text with timestamps.

    `promtool tsdb create-blocks-from openmetrics FILE DATA` puts it into a Prometheus, where dashboards for vLLM show
    it: every series has job="fleetcast". A FOLDER that `fleetcast run` has written is simulated again.
    """
    from sim.config.errors import ConfigError, Problem
    from sim.exchange.openmetrics import metrics_of
    from sim.exchange.served import check_kept
    from sim.scenario import load, located

    if out is not None:
        check_free(out, force)
    elif as_json:
        raise click.UsageError("--json tells of the file that is written: give --out; metrics themselves are no JSON")
    every_s = duration_of(every, "--every")
    if every_s is not None and every_s < 0.001:
        raise ConfigError(Problem(f"must be at least 1ms, got '{every}'", "--every"))
    file = file_of(scenario)
    wanted = load(file, sets)
    begins = _start(start, wanted.starts)
    try:
        check_kept(wanted)
        found = metrics_of(simulated(wanted, quiet), begins.timestamp(), every_s)
    except ConfigError as error:
        raise located(error, file, sets) from None
    written(out, found.lines())
    if out is not None:
        ends = datetime.fromtimestamp(begins.timestamp() + float(found.scrapes.times_s[-1]), UTC)
        span = [f"{each:%Y-%m-%dT%H:%M:%SZ}" for each in (begins, ends)]
        if as_json:
            told(out, start=span[0], end=span[1], every_s=found.scrapes.every_s, notes=list(found.notes))
        else:
            click.echo(f"written to {out}: {span[0]} to {span[1]}, every {found.scrapes.every_s:g} s")
    for note in found.notes:
        click.echo(f"note: {note}", err=True)


def _start(text: str | None, starts: date | None) -> datetime:
    """When the run began. Raises `ConfigError`."""
    from sim.config.errors import ConfigError, Problem

    if text is None:
        return STARTS if starts is None else datetime(starts.year, starts.month, starts.day, tzinfo=UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        told = f"must be a time, such as 2026-01-01T00:00:00Z, got '{text[:40]}'"
        raise ConfigError(Problem(told, "--start")) from None
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    if found.year < 1971 or found.year > 2200:  # Prometheus counts from 1970
        raise ConfigError(Problem(f"must be between 1971 and 2200, got {found:%Y-%m-%d}", "--start"))
    return found
