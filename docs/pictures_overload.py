"""The picture of `overload.md`: what is sent and what is answered in time, by what clients and queues do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import facts_overload
from facts_overload import Storm
from palette import AMBER, BLUE, GREEN, INK, RED

COLOURS = (RED, AMBER, BLUE, GREEN)


def the_storm() -> tuple[Any, Callable[[Any], None]]:
    """Attempts, answers in time and requests that wait, over half an hour, by remedy."""
    runs = {case: facts_overload.storm(case) for case in facts_overload.IN_PICTURE}
    burst = facts_overload.storm()["recovery.burst"]
    shown = {
        case: {name: [round(value, 6) for value in run.timeline[name]] for name in ("arrivals", "completed", "waiting")}
        for case, run in runs.items()
    }

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 7.2)
        sent, good, waiting = figure.subplots(3, 1, sharex=True, height_ratios=(1.2, 1.2, 1))
        for axes in (sent, good, waiting):
            axes.margins(x=0)
            axes.axvspan(burst["from_s"] / 60, burst["to_s"] / 60, color=INK, alpha=0.07, linewidth=0)
        first = next(iter(runs.values()))
        offered = _rate(first, "offered")
        for (case, run), colour in zip(runs.items(), COLOURS, strict=True):
            minutes = _minutes(run)
            style: dict[str, Any] = {"baseline": None, "color": colour, "linewidth": 1.4}
            sent.stairs(_rate(run, "arrivals"), minutes, label=case, **style)
            good.stairs(_rate(run, "completed"), minutes, **style)
            waiting.stairs(run.timeline["waiting"], minutes, **style)
        sent.stairs(offered, _minutes(first), baseline=None, color=INK, linewidth=1, linestyle="--", label="requests")
        good.stairs(offered, _minutes(first), baseline=None, color=INK, linewidth=1, linestyle="--")
        sent.set_title("Attempts a second (dashed: requests); the burst is shaded")
        sent.set_ylim(0, 1.55 * max(_rate(first, "arrivals")))
        sent.legend(loc="upper left", ncols=2, fontsize=8.5)
        good.set_title("Answers a second that come in time (dashed: requests)")
        good.set_ylim(0, None)
        waiting.set_title("Attempts that wait")
        waiting.set_ylim(0, None)
        waiting.set_xlabel("minutes")
        figure.align_ylabels()
        figure.tight_layout()

    return shown, paint


def _minutes(run: Storm) -> list[float]:
    return [at_s / 60 for at_s in (*run.timeline["start_s"], run.timeline["end_s"][-1])]


def _rate(run: Storm, name: str) -> Sequence[float]:
    line = run.timeline
    return [count / (end - at) for count, at, end in zip(line[name], line["start_s"], line["end_s"], strict=True)]


PICTURES: dict[str, Callable[[], tuple[Any, Callable[[Any], None]]]] = {f"{facts_overload.STORM}.png": the_storm}
