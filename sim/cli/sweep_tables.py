"""What `fleetcast sweep` says: a row a run, and the answer of a search in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sim.result import words

if TYPE_CHECKING:
    from rich.table import Table

    from sim.study.sweep import Run
    from sim.study.turning import Found

HELD = {"trigger": "leaves the service collapsed", "escape": "lets the service recover"}


def runs_table(keys: Sequence[str], runs: Sequence[Run]) -> Table:
    """One row a run: the values of its keys, then the main numbers."""
    from sim.cli.plain import table

    made = table()
    for key in keys:
        made.add_column(_short(key, keys), justify="right")
    targets: list[dict[str, Any]] = next((run.summary["slo"] for run in runs if run.summary is not None), [])
    heads = [f"{target['metric'].upper()} ≤ {words.duration(target['under_s'])}" for target in targets]
    for head in (*heads, "TTFT p99", "completed", "goodput", "attempts", "a day", "after the burst"):
        made.add_column(head, justify="right")
    for run in runs:
        values = [run.values[key] for key in keys]
        made.add_row(*values, *(["failed"] if run.summary is None else _cells(run, len(targets))))
    return made


def _cells(run: Run, targets: int) -> list[str]:
    found = run.metrics
    attained = [words.share(value) for value in found["attained"][:targets]]
    goodput = found["goodput_per_s"]
    return [
        *attained,
        words.duration(found["ttft_s_p99"]),
        words.share(found["completed_share"]),
        words.MISSING if goodput is None else f"{goodput:.3g}/s",
        words.count(found["attempts_per_request"]),
        words.usd(found["usd_per_day"]),
        _recovery(found),
    ]


def _recovery(found: dict[str, Any]) -> str:
    """What became of the service after a burst."""
    if found["recovery"] == "recovered":
        return f"back in {words.duration(found['recovered_after_s'])}"
    return "no burst" if found["recovery"] is None else str(found["recovery"])


def _short(key: str, keys: Sequence[str]) -> str:
    """The end of a dotted path that tells it from the others."""
    steps = key.split(".")
    for count in range(1, len(steps)):
        end = ".".join(steps[-count:])
        if sum(other == end or other.endswith(f".{end}") for other in keys) == 1:
            return end
    return key


def failures(runs: Sequence[Run]) -> list[str]:
    """Why runs have failed, a line each."""
    return [
        f"error: {', '.join(f'{key}={value}' for key, value in run.values.items())}: {run.error}"
        for run in runs
        if run.error is not None
    ]


def sentences(found: Found) -> list[str]:
    """The answer, what it rests on, and what contradicts it."""
    along, text = found.along, found.along.text
    ends = f"{text(along.mild)} to {text(along.severe)}"
    runs = words.plural(len(found.runs), "run")
    held = HELD[found.what]
    if found.bracket is None:
        return [f"Nothing from {ends} {held}: {along.key}, {runs}."]
    without, first = found.bracket
    if without == first:
        said = [f"{along.key}={text(first)}, the first value of the range, {held} already ({runs})."]
    else:
        adjective = "smallest" if found.what == "trigger" and along.mild < along.severe else "first"
        adjective = "mildest" if found.what == "escape" else adjective
        said = [
            f"{along.key}={text(first)} is the {adjective} value found that {held}; {text(without)} does not "
            f"({runs}, {ends})."
        ]
    if found.against:
        told = ", ".join(text(value) for value in found.against)
        said.append(f"But it is not that simple: {told} contradict{'s' if len(found.against) == 1 else ''} it.")
    return said


def csv_text(runs: Sequence[dict[str, Any]]) -> str:
    """Runs as CSV, from what stands in JSON: the values of the keys, then the main numbers."""
    import csv
    import io

    written = io.StringIO()
    rows = [_flat(run) for run in runs]
    fields = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(written, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue()


def _flat(run: dict[str, Any]) -> dict[str, Any]:
    metrics = dict(run["metrics"] or {})
    attained = metrics.pop("attained", [])
    slo = (run["summary"] or {}).get("slo", [])
    shares = {f"attained.{target['metric']}": share for target, share in zip(slo, attained, strict=True)}
    return {**run["set"], **shares, **metrics, "error": run["error"]}
