"""The load-duration curve: for what share of the time a pool has so many GPUs, and what pays for them."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.report.drawing.downsample import short
from sim.report.drawing.figure import Figure, Plot
from sim.report.tables.ladder import TIERS, ladders
from sim.result import words
from sim.result.money.bill import Bill, bill_of
from sim.result.money.layers import Layers, laddered, paid_layers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.result import Result

STYLES = {
    "owned": ("owned", "var(--brown)"),
    "capacity_block": ("capacity block", "var(--violet)"),
    "reserved": ("reserved", "var(--blue)"),
    "savings_plan": ("savings plan", "var(--gold)"),
    "on_demand": ("on demand", "var(--orange)"),
    "spot": ("spot", "var(--teal)"),
    "unused": ("paid for, not used", "var(--grey-soft)"),
}


def load_duration_figures(result: Result) -> list[Figure]:
    """A picture a pool that contracts cover, or of which the ladder has something to say; none for others."""
    summary = result.summary()
    contracts = result.scenario.contracts.values()
    shown = [name for name in result.log.pools if any(contract.covers(name) for contract in contracts)]
    ladder = ladders(summary)
    shown += [name for name in ladder if name not in shown]
    if not shown:
        return []
    bill = bill_of(result.scenario, result.log)
    drawn = [_figure(result, bill, name, ladder.get(name), name in _covered(bill)) for name in shown]
    return [figure for figure in drawn if figure is not None]


def _covered(bill: Bill) -> set[str]:
    """The pools of which a contract for capacity may cover something."""
    return {pool for pool in bill.pools for one in bill.covered if one.contract.covers(pool)}


def _figure(result: Result, bill: Bill, pool: str, ladder: dict[str, Any] | None, is_covered: bool) -> Figure | None:
    several = len(result.log.pools) > 1
    title = "Load duration" + (f" of pool {pool}" if several else "")
    caption = "The GPUs that are paid for, the busiest time first: how many there are for what share of the time. "
    layers = paid_layers(bill, pool)
    if ladder is not None and not is_covered:
        cheapest = min(ladder["layers"], key=lambda layer: layer["usd"])
        layers = _as_laddered(result, bill, pool, cheapest["gpus"]) or layers
        caption += f"The colours are the cheapest ladder: {words.count(cheapest['gpus'])} GPUs {_name(cheapest)}. "
    else:
        caption += "The colours are what pays for them. "
    if layers is None:
        return None
    data = _areas(layers)
    if ladder is not None:
        data.append(_tiers(ladder))
        caption += "A diamond is how many are worth reserving at a price, and from what share of the time on."
    layout = {
        "hovermode": "closest" if ladder is not None else "x unified",
        "xaxis": {"tickformat": ".0%", "range": [0, 1], "title": {"text": "share of the time with at least so many"}},
        "yaxis": {"title": {"text": "GPUs"}, "rangemode": "tozero"},
        "legend": {"traceorder": "normal"},
    }
    place = result.log.pools.index(pool)
    return Figure(f"load-duration-{place}", title, caption.strip(), {"data": data, "layout": layout})


def _as_laddered(result: Result, bill: Bill, pool: str, reserved_gpus: float) -> Layers | None:
    """The layers of the ladder for what a pool had, spot where there is a price of it."""
    usage, settings = bill.usage, result.scenario.pools[pool]
    rows = [place for place, make in enumerate(usage.makes) if make.pool == pool]
    length_s = np.diff(np.clip(usage.edges_s, bill.window_s[0], bill.window_s[1]))
    has_spot = settings.listed is not None and settings.listed.spot_usd is not None
    share = settings.interruptible_share if has_spot else 0.0
    return laddered(usage.gpus[rows].sum(axis=0), length_s, reserved_gpus, share)


def _areas(layers: Layers) -> list[Plot]:
    """Steps one above the other. They are summed here: the plot would not stack two values at one place."""
    ends = np.repeat(layers.shares, 2)[1:-1]
    top = np.zeros(len(ends))
    areas = []
    for place, (layer, gpus) in enumerate(layers.gpus.items()):
        name, colour = STYLES[layer]
        here = np.repeat(gpus, 2)
        top = top + here
        areas.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": name,
                "x": short(ends),
                "y": short(top),
                "line": {"color": colour, "width": 0},
                "fill": "tonexty" if place else "tozeroy",
                "fillcolor": colour,
                "text": _texts(here, name),
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
    return areas


def _texts(gpus: NDArray[np.float64], name: str) -> list[str]:
    return [f"{words.count(round(value, 2))} GPUs {name}" for value in gpus.tolist()]


def _tiers(ladder: dict[str, Any]) -> Plot:
    """How many GPUs are worth reserving at each price, where that price meets the curve."""
    layers = ladder["layers"]
    # where prices are listed their names do: those of contracts would stand one upon the other
    named = [layer for layer in layers if layer["name"] in TIERS] or layers
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": "worth reserving",
        "x": short(np.array([layer["break_even_share"] for layer in layers])),
        "y": short(np.array([layer["gpus"] for layer in layers])),
        "text": [html.escape(_name(layer)) if layer in named else "" for layer in layers],
        "textposition": "top right",
        "customdata": [html.escape(_name(layer)) for layer in layers],
        "textfont": {"color": "var(--text)"},
        "marker": {
            "symbol": "diamond",
            "size": 11,
            "color": "var(--card)",
            "line": {"color": "var(--text)", "width": 2},
        },
        "hovertemplate": "%{customdata}: %{y} GPUs, each used at least %{x:.0%} of the time<extra></extra>",
    }


def _name(layer: dict[str, Any]) -> str:
    return TIERS.get(layer["name"], f"as '{layer['name']}'")
