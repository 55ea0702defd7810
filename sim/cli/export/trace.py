"""`fleetcast export trace`: a run as Chrome trace events, for ui.perfetto.dev."""

from __future__ import annotations

from pathlib import Path

import click

from sim.cli.export.exported import duration_of, file_of, of_scenario, simulated, told, written
from sim.cli.shared.files import check_free
from sim.cli.shared.options import FORCE_FILE, QUIET


@click.command("trace", short_help="Write a run as a trace, for ui.perfetto.dev.")
@of_scenario
@click.option("--from", "from_", metavar="TIME", help="Where the trace begins, such as 10m (default: the run's start).")
@click.option("--to", metavar="TIME", help="Where it ends (default: as far as 200,000 events go).")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE.json[.gz]", help="Write a file, not to stdout.")
@FORCE_FILE
@click.option("--json", "as_json", is_flag=True, help="Print the trace, or what was written, as one JSON document.")
@QUIET
def trace(
    scenario: str,
    sets: tuple[str, ...],
    from_: str | None,
    to: str | None,
    out: Path | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Simulate SCENARIO and write what happened as Chrome trace events (JSON).

    Open the file at ui.perfetto.dev (it stays in your browser) or in chrome://tracing. Each pool is a process, each
    replica a track with its states and batches; waiting and running requests are counters, the autoscaler's decisions
    stand on a track of their own. A FOLDER that `fleetcast run` has written is simulated again.
    """
    from sim.config.errors import ConfigError
    from sim.exchange.served import check_kept
    from sim.exchange.trace import trace_of
    from sim.scenario import load, located

    if out is not None:
        check_free(out, force)
    from_s, to_s = duration_of(from_, "--from"), duration_of(to, "--to")
    file = file_of(scenario)
    wanted = load(file, sets)
    try:
        check_kept(wanted)
        found = trace_of(simulated(wanted, quiet), from_s, to_s)
    except ConfigError as error:
        raise located(error, file, sets) from None
    events = written(out, found.lines()) - 4
    if out is not None and as_json:
        told(out, events=events, whole=found.window.whole, notes=list(found.notes))
    elif out is not None:
        click.echo(f"written to {out}: {events:,} events, {found.window.words}")
    if not found.window.whole and not quiet and to is None:
        click.echo("note: only a part of the run; choose another with --from and --to", err=True)
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
