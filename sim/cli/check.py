"""`fleetcast check`: what queueing theory says of a scenario, in a moment and without a run."""

from __future__ import annotations

import click

from sim.cli.shared.options import JSON, SET


@click.command(short_help="What theory says, without a run.")
@click.argument("scenario", required=False, metavar="SCENARIO")
@SET
@JSON
def command(scenario: str | None, sets: tuple[str, ...], as_json: bool) -> None:
    """Say what queueing theory says of SCENARIO, a file or the name of one that ships (`fleetcast examples`).

    Whether each pool carries what comes, how long the queue grows where it does not, the waits that there is a formula
    for, and the smallest fleet by theory; and what all of this leaves out. Nothing is simulated.
    """
    from sim.config import catalogue
    from sim.config.errors import ConfigError
    from sim.result.twin import twin
    from sim.result.twin.words import check_sentences, figure_rows, warnings
    from sim.scenario import load

    if not scenario:
        known = ", ".join(catalogue.names(catalogue.SCENARIOS))
        raise ConfigError(f"which scenario? give a file, or the name of one that ships: {known}")
    found = twin(load(scenario, sets))
    if as_json:
        from sim.result.files import json_text

        click.echo(json_text(found.as_document()), nl=False)
        for told in warnings(found):
            click.echo(f"warning: {told}", err=True)
        return
    for sentence in check_sentences(found):
        click.echo(sentence)
    rows = [("expected by theory", "", "", ""), *figure_rows(found)]
    if len(rows) > 1:
        click.echo()
        path, value, kind = (max(len(row[column]) for row in rows) for column in range(3))
        for row in rows:
            click.echo(f"{row[0]:<{path}}  {row[1]:>{value}}  {row[2]:<{kind}}  {row[3]}".rstrip())
    left_out = [(pool.name, why) for pool in found.pools.values() for why in pool.uncovered]
    if left_out:
        click.echo("\nnot covered:")
        for name, why in left_out:
            click.echo(f"  {name}: {why}" if len(found.pools) > 1 else f"  {why}")
    assumed = dict.fromkeys(each for figure in found.figures for each in figure.assumes)
    if assumed:
        click.echo(f"\ntaken for granted: {'; '.join(assumed)}")
