"""`fleetcast decide`: recorded observations through a policy, each decision with its reason."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sim.autoscaling.replay import Decided
    from sim.exchange.recorded import Replay


@click.command(short_help="Replay recorded observations through an autoscaler.")
@click.argument("manifest", metavar="MANIFEST")
@click.option(
    "--observations",
    "files",
    multiple=True,
    required=True,
    metavar="FILE",
    help="Observations as JSON lines, or answers of Prometheus to query_range (repeatable).",
)
@click.option("--pool", help="The pool, where MANIFEST is a scenario with several.")
@click.option(
    "--replicas",
    type=click.IntRange(0, 100_000),
    metavar="N",
    help="Begin with N replicas and follow the decisions; left out: the sizes that were recorded.",
)
@click.option("--changes", is_flag=True, help="Only decisions that change the fleet.")
@click.option("--json", "as_json", is_flag=True, help="Print the decisions as one JSON list, and nothing else.")
def command(
    manifest: str, files: tuple[str, ...], pool: str | None, replicas: int | None, changes: bool, as_json: bool
) -> None:
    """Print what the autoscaler of MANIFEST decides on recorded observations, and why.

    MANIFEST is a HorizontalPodAutoscaler, a KEDA ScaledObject, a Knative Service, a Ray Serve config, the autoscaler
    block of a scenario, or a scenario. An observation as a line of JSON is a decision; of Prometheus's series, the
    autoscaler's own pace decides when it looks. Metrics stay those that were recorded, whatever is decided.
    """
    from sim.exchange.recorded import replay
    from sim.scenario.policies import policy_of

    found = replay(policy_of(manifest, pool), files, replicas)
    decisions = (each for each in found.decisions if not changes or each.wanted != each.current)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in decisions], indent=1))
    else:
        _show(decisions)
    for line in _notes(found):
        click.echo(line, err=True)


def _show(decisions: Iterable[Decided]) -> None:
    """A table on a terminal; elsewhere a line a decision, as soon as it is made."""
    from sim.cli.shared.plain import console, table

    shown = console()
    if not shown.is_terminal:
        for line in _lines(decisions):
            click.echo(line)
        return
    grid = table()
    for head in ("at", "current", "wanted"):
        grid.add_column(head, justify="right", no_wrap=True)
    grid.add_column("reason")
    from rich.text import Text

    for each in decisions:
        wanted = Text(str(each.wanted), style="bold" if each.wanted != each.current else "")
        grid.add_row(f"{each.at_s:g} s", str(each.current), wanted, Text(each.reason))
    shown.print(grid)


def _lines(decisions: Iterable[Decided]) -> Iterator[str]:
    yield f"{'at_s':>10}  {'current':>7}  {'wanted':>7}  reason"
    for each in decisions:
        yield f"{each.at_s:>10.10g}  {each.current:>7}  {each.wanted:>7}  {each.reason}"


def _notes(found: Replay) -> Iterator[str]:
    """What to know about the data, once they have been read."""
    if found.began is not None:
        yield f"note: second 0 is the first sample, {found.began.isoformat(timespec='seconds')}"
    if found.silent:
        yield f"note: not recorded, so missing in every decision: {', '.join(sorted(found.silent))}"
