"""The pictures of the documentation: drawn from the same runs as the numbers, on a light ground that any page can hold.

Each picture carries a digest of what it shows, so that a check need not compare pixels (which differ from one version
of the drawing library to the next).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import facts
import facts_fidelity
import house
import pictures_elastic
import pictures_overload
from palette import BLUE, FAINT, GREEN, INK, RED, STYLE

IMAGES = Path(__file__).resolve().parent / "img"
MOST_BYTES = 200_000


def draw(check: bool) -> list[str]:
    """Draw every picture, or say which ones show something else than the runs do."""
    stale = [line for name, make in PICTURES.items() for line in _drawn(IMAGES / name, make, check)]
    stale += _written(IMAGES / "fidelity.svg", facts_fidelity.errors_svg(), check)
    return stale + _written(IMAGES / "architecture.svg", house.svg(), check)


def _drawn(path: Path, make: Callable[[], tuple[Any, Callable[[Any], None]]], check: bool) -> list[str]:
    import matplotlib as mpl

    shown, paint = make()
    digest = hashlib.sha256(json.dumps(shown).encode()).hexdigest()
    if check:
        known = path.is_file() and digest.encode() in path.read_bytes()
        return [] if known else [f"docs/img/{path.name}: does not show what the runs give now"]
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    with mpl.rc_context(STYLE):
        figure = plt.figure()
        paint(figure)
        path.parent.mkdir(exist_ok=True)
        figure.savefig(path, metadata={"Software": None, "Description": digest})
        plt.close(figure)
    assert path.stat().st_size < MOST_BYTES, f"{path.name} has {path.stat().st_size:,} bytes"
    return []


def _written(path: Path, text: str, check: bool) -> list[str]:
    if check:
        same = path.is_file() and path.read_text(encoding="utf-8") == text
        return [] if same else [f"docs/img/{path.name}: is not what docs/house.py draws"]
    path.write_text(text, encoding="utf-8")
    return []


def the_day() -> tuple[Any, Callable[[Any], None]]:
    """chatgpt-2023 over the day: demand and supply, waits, money."""
    line = facts.day.timeline
    hour = [at_s / 3600 for at_s in line["start_s"]]
    arrivals = [
        n / (end - start) for n, start, end in zip(line["arrivals"], line["start_s"], line["end_s"], strict=True)
    ]
    supply = facts.day["replicas.max"] / 1.35  # replies a second that the fleet can make, 1.35 s each
    p99_h = [value / 3600 for value in line["ttft_s_p99"]]
    hourly_usd, daily = line["usd_per_hour"], facts.usd(facts.day["cost.usd_per_day"])
    used_usd = [usd * busy for usd, busy in zip(hourly_usd, line["busy_share"], strict=True)]

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 7.2)
        demand, wait, money = figure.subplots(3, 1, sharex=True)
        demand.plot(hour, arrivals, color=BLUE, label="arrive")
        demand.axhline(
            supply,
            color=INK,
            linewidth=1,
            linestyle="--",
            label=f"can be answered by {facts.day['replicas.max']} replicas",
        )
        short = [a > supply for a in arrivals]
        demand.fill_between(hour, arrivals, supply, where=short, color=RED, alpha=0.15, linewidth=0)
        demand.set_title(f"Replies a second: what is asked for, and what {daily} a day can make")
        demand.set_ylim(0, None)
        demand.legend(loc="upper left")
        wait.plot(hour, p99_h, color=RED)
        wait.fill_between(hour, p99_h, color=RED, alpha=0.15, linewidth=0)
        wait.set_title("Hours until the first word, by time of asking (99th percentile; the median is close)")
        wait.set_ylim(0, None)
        money.fill_between(hour, used_usd, color=GREEN, alpha=0.75, linewidth=0, label="replicas at work")
        money.fill_between(hour, used_usd, hourly_usd, color=FAINT, linewidth=0, label="replicas idle")
        money.set_title("Dollars an hour, paid either way")
        money.set_ylim(0, 5500)
        money.legend(loc="upper left", ncols=2)
        money.set_xlabel("hour of the day")
        money.set_xlim(0, 24)
        money.set_xticks(range(0, 25, 3))
        figure.tight_layout()

    shown = [[round(value, 6) for value in column] for column in (arrivals, p99_h, used_usd)]
    return shown, paint


def the_fleets() -> tuple[Any, Callable[[Any], None]]:
    """Dollars a day for the same replies, by fleet."""
    bars = [
        ("as estimated\n(174 replicas, hours of waiting)", facts.day["cost.usd_per_day"], RED),
        (
            f"one reply at a time\n({facts.slots.replicas} replicas)",
            facts.slots.enough["cost.usd_per_day"],
            BLUE,
        ),
        (
            f"batched, long prompts\n({facts.batched.replicas} replicas)",
            facts.batched.enough["cost.usd_per_day"],
            GREEN,
        ),
        (f"batched, short prompts\n({facts.short.replicas} replicas)", facts.short.enough["cost.usd_per_day"], GREEN),
    ]

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 3.0)
        axes = figure.subplots()
        places = range(len(bars), 0, -1)
        axes.barh(places, [usd for _, usd, _ in bars], color=[color for _, _, color in bars], height=0.62)
        axes.set_yticks(places, [name for name, _, _ in bars])
        for place, (_, usd, _) in zip(places, bars, strict=True):
            axes.text(usd + 2500, place, f"${usd:,.0f}", va="center")
        axes.set_xlim(0, 225_000)
        axes.set_xticks(range(0, 225_000, 50_000))
        axes.xaxis.set_major_formatter(lambda value, _: f"${value:,.0f}")
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
        axes.set_title("Dollars a day for the same 11.1 million replies")
        figure.tight_layout()

    return [[name, usd] for name, usd, _ in bars], paint


PICTURES = {
    "chatgpt-2023.png": the_day,
    "chatgpt-2023-fleets.png": the_fleets,
    **pictures_elastic.PICTURES,
    **pictures_overload.PICTURES,
}
