"""`fleetcast merge`: the parts of a study that shards have made, put together."""

from __future__ import annotations

from pathlib import Path

import click

from sim.cli.shared.options import JSON


@click.command(short_help="Put the parts of a study together.")
@click.argument("folders", nargs=-1, required=True, metavar="DIR...", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder of the whole study.")
@JSON
@click.pass_context
def command(ctx: click.Context, folders: tuple[Path, ...], out: Path, as_json: bool) -> None:
    """Make one study of the folders that `fleetcast sweep --shard I/N --study DIR` has made.

    It is the same, byte for byte, as if one process had made all runs. Runs that are missing are named, and nothing is
    written then. `fleetcast sweep --show` tells what is in it.
    """
    from sim.cli.sweep import SOME_FAILED
    from sim.cli.sweep.study import document_of, of_runs
    from sim.study.store import damage_told
    from sim.study.store.merging import merge

    design, runs = merge(folders, out)
    with damage_told(str(out)):
        swept = of_runs(design, runs, ())
        document = document_of(swept)
    if as_json:
        from sim.result.files import json_text

        click.echo(json_text(document), nl=False)
    else:
        points = f"{len(design.places):,} point{'' if len(design.places) == 1 else 's'}"
        click.echo(f"{len(runs):,} runs of {points} in {out}; fleetcast sweep --show {out}")
    ctx.exit(SOME_FAILED if swept.failed else 0)
