"""`fleetcast export`: what a scenario says and what its run comes to, in the words of other systems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sim.cli.export.focus import focus
from sim.cli.export.metrics import metrics
from sim.cli.export.trace import trace
from sim.cli.shared.files import check_free, write_whole
from sim.cli.shared.options import FORCE_FILE, QUIET, SET
from sim.cli.shared.progress import compiling, progress


@click.group(short_help="Write a manifest, FOCUS rows, a trace or metrics.")
def command() -> None:
    """Write what a scenario says, or what its run comes to, as files that other systems read."""


command.add_command(focus)
command.add_command(trace)
command.add_command(metrics)


@command.command("autoscaler", short_help="Write a pool's autoscaler as its cluster's manifest.")
@click.argument("scenario", metavar="SCENARIO")
@click.option("--pool", help="The pool, where there are several.")
@SET
@click.option("--like", type=click.Path(path_type=Path), metavar="FILE", help="The manifest as it is now.")
@click.option("--out", type=click.Path(path_type=Path), help="Write a file, not to stdout.")
@FORCE_FILE
@click.option("--no-run", is_flag=True, help="Do not simulate: no prediction in the comments.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest, and what a run predicts, as JSON.")
@QUIET
def autoscaler(
    scenario: str,
    pool: str | None,
    sets: tuple[str, ...],
    like: Path | None,
    out: Path | None,
    force: bool,
    no_run: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write the autoscaler of SCENARIO as the manifest of its system, ready to apply.

    Comments on top say what a run of the scenario predicts with it. With --like, all else that stands in the original
    is kept, and what changes is shown on stderr.
    """
    from sim.exchange.manifests import difference, manifest_of, manifest_text
    from sim.scenario import load
    from sim.scenario.policies import pool_name

    if out is not None:
        check_free(out, force)
    wanted = load(scenario, sets)
    name = pool_name(wanted, pool)
    original = None if like is None else _original(like, wanted.pools[name].autoscaler)
    document = manifest_of(wanted, name, original)
    summary = None if no_run else _summary(wanted, quiet)
    text = manifest_text(document, wanted, name, summary)
    if out is not None:
        write_whole(out, text)
    if as_json:
        _tell(document, name, summary, out)
    else:
        click.echo(text if out is None else f"written to {out}", nl=out is not None)
    if original is not None:
        after = str(out) if out is not None else "exported"
        changes = difference(original, document, str(like), after)
        click.echo(changes or "no difference: the original says the same", err=True, nl=not changes)


def _tell(document: Any, pool: str, summary: dict[str, Any] | None, out: Path | None) -> None:
    """Print the manifest as one JSON document, with the summary of the run that predicts what it does."""
    from sim.result.files import json_text

    found = {"schema_version": 1, "pool": pool, "manifest": document, "predicted": summary}
    click.echo(json_text({**found, "written": None if out is None else str(out)}), nl=False)


def _original(like: Path, policy: Any) -> Any:
    """The manifest that is to be changed; it must be of the same kind as the policy. Raises `ConfigError`."""
    from sim.autoscaling.manifest_file import read_manifest
    from sim.config.errors import ConfigError

    found = read_manifest(like)
    kind = getattr(found.policy, "kind", "")
    if kind != policy.kind:
        told = (
            f"is the manifest of kind '{kind}', and the scenario's autoscaler is of kind '{policy.kind}'; drop --like"
        )
        raise ConfigError(found.place.problem(told))
    return found.document


def _summary(scenario: Any, quiet: bool) -> dict[str, Any]:
    """The summary of a run."""
    from sim.engine import simulate

    with progress(quiet) as shown:
        return simulate(scenario, progress=shown, on_compile=None if quiet else compiling).summary()
