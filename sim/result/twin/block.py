"""Theory beside simulation: the block `theory` of a summary, and what it means when the two are apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.config.errors import DataError
from sim.result.twin.fleet import PEAK_WAITING, twin

if TYPE_CHECKING:
    from sim.result.timeline import Columns
    from sim.scenario import Scenario

FAR = 3.0
"""Half-widths of a 95 % interval: so far off is an exact mean in less than one of a thousand cases, of ten runs; the
intervals of quantiles, which are too narrow for so few runs, are not trusted more closely either."""


def theory_block(scenario: Scenario, summary: Mapping[str, Any], columns: Columns) -> list[dict[str, Any]]:
    """Every number that theory gives of a scenario, with the simulated one of a summary; one mapping a number.

    Keys: path, theory, simulated, difference_share (of the theory; None where that is 0), method, kind, assumes.
    """
    try:
        told = [each.as_document() for each in twin(scenario).figures]
    except DataError:  # a file that was there for the run, and is no more
        return []
    for each in told:
        if each["path"].endswith(PEAK_WAITING):
            each["simulated"] = float(np.max(columns["waiting"], initial=0.0)) if each["path"] == PEAK_WAITING else None
    return compared(told, summary)


def compared(told: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The same numbers of theory beside those of another summary, as that of several runs."""
    found: list[dict[str, Any]] = []
    for each in told:
        kept = each["path"].endswith(PEAK_WAITING)
        simulated = each.get("simulated") if kept else _at(summary, each["path"])
        theory = each["theory"]
        share = None if simulated is None or theory == 0 else simulated / theory - 1
        found.append(
            {
                "path": each["path"],
                "theory": theory,
                "simulated": simulated,
                "difference_share": share,
                "method": each["method"],
                "kind": each["kind"],
                "assumes": list(each["assumes"]),
            }
        )
    return found


def contradictions(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The exact values of theory that an interval of several runs is far from.

    Farther than three half-widths: of many intervals of 95 % some miss by chance. An interval without a width says
    nothing here: nothing is random then, and what is apart is the beginning and the end of the run. Runs to which no
    request came say nothing of theory.
    """
    found: list[dict[str, Any]] = []
    if _at(summary, "requests.completed") == 0:
        return found
    for each in summary.get("theory", ()):
        interval = summary.get("intervals", {}).get(each["path"])
        if each["kind"] != "exact" or interval is None:
            continue
        middle, half = (interval[0] + interval[1]) / 2, (interval[1] - interval[0]) / 2
        if half > 0 and abs(each["theory"] - middle) > FAR * half:
            found.append(each)
    return found


def _at(summary: Any, path: str) -> float | None:
    """What stands at a dotted path, as a number; None where there is none."""
    for step in path.split("."):
        try:
            summary = summary[int(step)] if isinstance(summary, list) else summary[step]
        except (KeyError, IndexError):
            return None
    return None if summary is None or isinstance(summary, bool | str | dict | list) else float(summary)
