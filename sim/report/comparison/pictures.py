"""The pictures of a comparison: how far each main number is from that of the baseline, and the latencies of all."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import numpy as np

from sim.report.comparison.words import better, main, names, signed, value
from sim.report.drawing.axes import duration_axis, room, row_axis, told_axis
from sim.report.drawing.figure import Figure, Plot
from sim.report.drawing.palette import series
from sim.report.drawing.panels import Headed, grid
from sim.report.drawing.whiskers import whiskers
from sim.result import words
from sim.statistics.intervals import Interval
from sim.study.compared.compare import Comparison, Difference
from sim.study.replicated.replications import Replicated

_SHARES = {"p50": 0.5, "p90": 0.1, "p95": 0.05, "p99": 0.01, "p999": 0.001}
_LATENCIES = {"queue_wait_s": "Queue wait", "ttft_s": "Time to first token (TTFT)", "e2e_s": "Whole answer (E2E)"}
_LOOKS = {"better": "var(--teal)", "worse": "var(--red)", "not distinguishable": "var(--grey)"}
_MOST_ROWS = 24
_TINY = 1e-12

Row = tuple[str, Difference]
"""What it is of, and the difference."""


def differences_figure(baseline_name: str, baseline: Replicated, compared: Sequence[Comparison]) -> Figure | None:
    """Every main number of every alternative beside the baseline's, with its interval; None where there is none."""
    name = names(baseline.records[0].summary)
    several = len(compared) > 1
    rows = [
        (f"{each.name}: {name[found.path]}" if several else name[found.path], found)
        for each in compared
        for found in main(baseline, each)
    ][:_MOST_ROWS]
    numbers = [row for row in rows if not row[1].path.endswith(".attained") and abs(row[1].baseline) > _TINY]
    shares = [row for row in rows if row[1].path.endswith(".attained")]
    panels: list[Headed] = []
    if numbers:
        panels.append(("Cost and times, % more", _forest(numbers, is_share=False)))
    if shares:
        panels.append(("Attainment, points more", _forest(shares, is_share=True)))
    if not panels:
        return None
    plot = grid(panels, 1, above=0.1) if len(panels) > 1 else panels[0][1]
    caption = (
        f"How much more or less than {baseline_name} each alternative has: a dot with its interval (95%, together). "
        "Where the interval touches the line in the middle, the difference may be chance."
    )
    shape = "tall" if len(rows) > 10 else "wide" if len(rows) > 6 else "small"
    return Figure("differences", f"Beside {baseline_name}", caption, plot, shape)


def _forest(rows: Sequence[Row], is_share: bool) -> Plot:
    scaled = [_scaled(each, is_share) for _, each in rows]
    data = []
    for look, colour in _LOOKS.items():
        of = [place for place, (_, each) in enumerate(rows) if _look(each) == look]
        if of:
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": look,
                    "x": [scaled[place].estimate for place in of],
                    "y": of,
                    "error_x": whiskers(
                        [scaled[place].estimate for place in of],
                        [(scaled[place].low, scaled[place].high) for place in of],
                        colour,
                        width=5,
                    ),
                    "marker": {"color": colour, "size": 10},
                    "text": [html.escape(_told(*rows[place])) for place in of],
                    "hovertemplate": "%{text}<extra></extra>",
                }
            )
    ends = room([end for each in scaled for end in (each.low, each.high)], 0.1, 0.1, zero=True)
    ends = (min(ends[0], -0.1 * ends[1]), max(ends[1], -0.1 * ends[0]))
    tell = _points if is_share else _percent
    zero = {"type": "line", "x0": 0, "x1": 0, "yref": "y domain", "y0": 0, "y1": 1}
    layout = {
        "xaxis": told_axis(ends, tell),
        "yaxis": row_axis([name.removeprefix("attainment of ") for name, _ in rows]),
        "hovermode": "closest",
        "shapes": [zero | {"line": {"color": "var(--muted)", "width": 1.5}, "layer": "below"}],
    }
    return {"data": data, "layout": layout}


def _scaled(each: Difference, is_share: bool) -> Interval:
    """In hundredths: of the baseline's number, or of the whole."""
    times = 100.0 if is_share else 100 / abs(each.baseline)
    half = 0.0 if each.is_exact else each.more.half_width
    return Interval(times * each.more.estimate, times * half)


def _look(each: Difference) -> str:
    if not each.is_distinguishable:
        return "not distinguishable"
    return "better" if better(each) else "worse"


def _told(name: str, each: Difference) -> str:
    both = f"{name}: {value(each.path, each.baseline)} → {value(each.path, each.other)}"
    more = signed(each.path, each.more.estimate)
    return f"{both} ({more}; {signed(each.path, each.more.low)} to {signed(each.path, each.more.high)})"


def _percent(number: float) -> str:
    return f"{number:+.4g}%" if number else "0"


def _points(number: float) -> str:
    return f"{number:+.4g}" if number else "0"


def latency_figures(runs: Mapping[str, Replicated]) -> tuple[Figure, ...]:
    """The tail of each latency, all scenarios on the same axes, with the intervals of their quantiles."""
    made = (_latency(metric, title, runs) for metric, title in _LATENCIES.items())
    return tuple(figure for figure in made if figure is not None)


def _latency(metric: str, title: str, runs: Mapping[str, Replicated]) -> Figure | None:
    data, shown_s = [], []
    for place, (name, of) in enumerate(runs.items()):
        found = {
            share: interval
            for quantile, share in _SHARES.items()
            if (interval := of.estimates.of(f"latency.{metric}.{quantile}")) is not None and interval.estimate > 0
        }
        if len(found) < 2:
            continue
        shown_s += [
            max(end, interval.estimate / 10) for interval in found.values() for end in (interval.low, interval.high)
        ]
        data.append(_tail(name, series(place), found))
    if not data:
        return None
    layout = {
        "xaxis": duration_axis(np.array(shown_s), "latency"),
        "yaxis": {
            "type": "log",
            "title": {"text": "share of requests slower"},
            "range": [-3.25, -0.1],
            "tickvals": list(_SHARES.values()),
            "ticktext": ["50%", "10%", "5%", "1%", "0.1%"],
        },
        "hovermode": "closest",
    }
    caption = "How many completed requests take longer than a given time, with 95% intervals: left and low is better."
    return Figure(metric.replace("_", "-"), title, caption, {"data": data, "layout": layout})


def _tail(name: str, colour: str, found: Mapping[float, Interval]) -> Plot:
    quantiles = [f"p{100 * (1 - share):g}" for share in found]
    ends = [(of.low, of.high) if np.isfinite(of.half_width) else (of.estimate, of.estimate) for of in found.values()]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": html.escape(name),
        "x": [interval.estimate for interval in found.values()],
        "y": list(found),
        "error_x": whiskers([of.estimate for of in found.values()], ends, colour, is_log=True),
        "line": {"color": colour, "width": 2},
        "marker": {"color": colour, "size": 7},
        "text": [
            html.escape(
                f"{name}, {quantile}: {words.duration(of.estimate)} ({words.between(of.low, of.high, words.duration)})"
            )
            for quantile, of in zip(quantiles, found.values(), strict=True)
        ],
        "hovertemplate": "%{text}<extra></extra>",
    }
