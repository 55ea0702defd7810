"""The files of `fleetcast tune --out`: the report, the tuned scenario, its manifests, the JSON, pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sim.scenario import Scenario
    from sim.study.tuned.answer import Tuned

DOCUMENT, SCENARIO = "tune.json", "tuned.yaml"
FRONT, SLICES, REPORT = "front.svg", "slices.svg", "report.html"


def check_folder(out: Path, scenario: Scenario, force: bool) -> None:
    """Raise `ConfigError` for a folder that cannot be written to: before the work, not after it."""
    from sim.cli.shared import files

    of_pools = [name for pool in scenario.pools for name in names_of(pool)]
    files.check_folder(out, (DOCUMENT, SCENARIO, FRONT, SLICES, REPORT, *of_pools), force)


def names_of(pool: str) -> tuple[str, str]:
    """The files of a pool: its manifest, and what changes in it."""
    return f"{pool}.manifest.yaml", f"{pool}.manifest.diff"


def write(found: Tuned, document: dict[str, Any], out: Path, again: str) -> None:
    """All of them, or none. `again`: the command that makes the same tuning."""
    from sim.cli.shared.files import write_folder
    from sim.cli.tune.tables import said_of
    from sim.report.drawing.paint.files import svg
    from sim.report.page.render import render
    from sim.report.tuned.page import page_of
    from sim.report.tuned.pictures import front_picture, slices_picture
    from sim.result.files import json_text
    from sim.study.tuned.tune import candidate_of

    texts = {
        DOCUMENT: json_text(document),
        SCENARIO: _about(found) + candidate_of(found).scenario.to_yaml(),
        FRONT: svg(front_picture(found)),
        SLICES: svg(slices_picture(found)),
    }
    for pool in found.scenario.pools:
        texts |= _manifest(found, pool)
    diffs = [(name, text) for name, text in texts.items() if name.endswith(".diff")]
    texts[REPORT] = render(page_of(found, said_of(found, diffs, texts[SCENARIO]), again))
    write_folder(out, texts)


def _about(found: Tuned) -> str:
    """What stands on top of the tuned scenario."""
    best = found.best.fresh
    lines = [
        f"{found.scenario.name}, tuned by fleetcast",
        *(f"  {key}: {at}" for key, at in best.candidate.values.items()),
    ]
    again = f"fleetcast run {SCENARIO} --set seed={found.fresh_seed} --replications {len(best.records)}"
    lines.append(f"Its numbers in {DOCUMENT}, again: {again}")
    return "".join(f"# {line}\n" for line in lines)


def _manifest(found: Tuned, pool: str) -> dict[str, str]:
    """The tuned manifest of a pool and a diff from that of the policy as it was; none for a policy that has none."""
    from sim.config.errors import ConfigError
    from sim.exchange.manifests import difference, manifest_of, manifest_text

    best = found.best.fresh
    scenario = best.candidate.with_seed(found.fresh_seed).scenario
    kept, changed = names_of(pool)
    try:
        before = manifest_of(found.baseline.fresh.candidate.scenario, pool)
        after = manifest_of(scenario, pool, before)
    except ConfigError as error:
        if "has no manifest" not in str(error):
            click.echo(f"no manifest of pool '{pool}': {error}", err=True)
        return {}
    summary = best.records[0].summary
    diff = difference(before, after, "as it is", "tuned")
    return {kept: manifest_text(after, scenario, pool, summary), changed: diff or "no difference\n"}
