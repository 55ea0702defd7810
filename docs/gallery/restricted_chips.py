"""What `restricted-chips.md` quotes: the same requests on H20s and H100s, in fleets that meet the SLO and not."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from gallery_runs import Told, duration, share, table, told
from palette import BLUE, RED

NAME = "restricted-chips"
RENT_USD = 3.20
H100 = "pools.qwen.gpu=h100-sxm"
CHAT_ONLY = (
    "horizon=15m",
    "workload.streams.documents.arrivals.rate=0.02/s",
    "workload.streams.chat.arrivals.rate=40/s",
)
"""Five times the chat, and next to no documents: two in a hundred seconds."""


def fleet(replicas: int = 16, gpus: int = 2, *sets: str) -> Told:
    """So many replicas of so many GPUs each."""
    changed = [f"pools.qwen.autoscaler.replicas={replicas}"] if replicas != 16 else []
    if gpus != 2:
        changed.append(f"pools.qwen.gpus_per_replica={gpus}")
    return told(NAME, *changed, *sets)


FLEETS: dict[str, tuple[int, int, tuple[str, ...]]] = {
    "H100, 4 x 2": (4, 2, (H100,)),
    "H100, 3 x 2": (3, 2, (H100,)),
    "H20, 16 x 2, as shipped": (16, 2, ()),
    "H20, 40 x 2": (40, 2, ()),
    "H20, 4 x 8": (4, 8, ()),
    "H20, 5 x 8": (5, 8, ()),
}
CHAT: dict[str, tuple[int, int, tuple[str, ...]]] = {
    "H100, 3 x 2, chat": (3, 2, (H100, *CHAT_ONLY)),
    "H100, 2 x 2, chat": (2, 2, (H100, *CHAT_ONLY)),
    "H20, 11 x 2, chat": (11, 2, CHAT_ONLY),
    "H20, 10 x 2, chat": (10, 2, CHAT_ONLY),
}


def of(name: str) -> Told:
    """A fleet of the page by its name."""
    replicas, gpus, sets = {**FLEETS, **CHAT}[name]
    return fleet(replicas, gpus, *sets)


def least(chip: str, each: int) -> int:
    """GPUs of the smallest of these fleets that meets the SLO, of this chip in replicas of so many."""
    return min(
        replicas * gpus
        for name, (replicas, gpus, _) in FLEETS.items()
        if name.startswith(f"{chip},") and gpus == each and all(target["met"] for target in of(name)["slo"])
    )


def par_usd(name: str, against: str) -> float:
    """The price of a GPU-hour at which one fleet costs what the other does at the H100's price."""
    (ours, each, _), (theirs, their_each, _) = ({**FLEETS, **CHAT}[one] for one in (name, against))
    return RENT_USD * theirs * their_each / (ours * each)


def fleets_table() -> str:
    """Fleets side by side; a share that misses its target is bold."""
    rows = []
    for name, (replicas, gpus, _) in FLEETS.items():
        run = of(name)
        cells = [share(one["attained"]) if one["met"] else f"**{share(one['attained'])}**" for one in run["slo"]]
        waits = [duration(run[f"classes.{kind}.latency.ttft_s.p99"]) for kind in ("chat", "documents")]
        rows.append((name, replicas * gpus, *cells, *waits))
    heads = (
        "replicas x GPUs | GPUs: | chat, TTFT ≤ 2 s: | documents, TTFT ≤ 5 s: | all, TPOT ≤ 60 ms: "
        "| chat, p99: | documents, p99:"
    )
    return table(heads, *rows)


def chat_table() -> str:
    """Chat alone."""
    rows = []
    for name, (replicas, gpus, _) in CHAT.items():
        run = of(name)
        cells = [share(run[f"slo.{at}.attained"]) for at in (0, 2)]
        cells = [cell if run[f"slo.{at}.met"] else f"**{cell}**" for cell, at in zip(cells, (0, 2), strict=True)]
        rows.append((name.removesuffix(", chat"), replicas * gpus, *cells, duration(run["latency.tpot_s.p50"])))
    return table("replicas x GPUs | GPUs: | chat, TTFT ≤ 2 s: | all, TPOT ≤ 60 ms: | TPOT, median:", *rows)


def _by_length(result: Any) -> list[list[float]]:
    """TTFT of requests by tokens of their prompt: edges, median and 99th percentile."""
    import numpy as np

    from sim.result.latency import metric_s

    rows = result.log.requests
    rows = rows[rows["arrival_s"] >= result.scenario.warmup_s]
    ttft_s = metric_s(rows, "ttft")
    edges = [0, 250, 500, 1000, 2000, 4000, 6000, 8000, 12000, 16001]
    found = []
    for low, high in itertools.pairwise(edges):
        inside = ttft_s[(rows["prompt_tokens"] >= low) & (rows["prompt_tokens"] < high)]
        found.append([(low + high) / 2, *(float(value) for value in np.quantile(inside, (0.5, 0.99)))])
    return found


def alone_s(tokens: int) -> float:
    """Median TTFT of prompts of about this length on 80 H20s in twos, where hardly anything waits."""
    rows = by_length("H20, 40 x 2")
    return min(rows, key=lambda row: abs(row[0] - tokens))[1]


def by_length(name: str) -> list[list[float]]:
    """A fleet's times to first token by length of the prompt."""
    replicas, gpus, sets = FLEETS[name]
    changed = [f"pools.qwen.autoscaler.replicas={replicas}"]
    if gpus != 2:
        changed.append(f"pools.qwen.gpus_per_replica={gpus}")
    kept: list[list[float]] = told(NAME, *changed, *sets, keep=_by_length).kept
    return kept


def the_picture() -> tuple[Any, Callable[[Any], None]]:
    """TTFT by length of the prompt: H100s, H20s in twos (as many as you like) and in eights."""
    cases = (
        ("H100, 4 x 2", "8 H100 in twos", BLUE),
        ("H20, 40 x 2", "80 H20 in twos", RED),
        ("H20, 5 x 8", "40 H20 in eights", "#d9a441"),
    )
    shown = {name: [[round(one, 5) for one in row] for row in by_length(name)] for name, _, _ in cases}

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 3.6)
        axes = figure.subplots()
        for name, label, colour in cases:
            tokens, median, p99 = zip(*shown[name], strict=True)
            axes.plot(tokens, p99, "o-", color=colour, markersize=3.5, linewidth=1.4, label=f"{label}: 99th percentile")
            axes.plot(tokens, median, color=colour, linewidth=1, linestyle="--", label="median")
        axes.axhline(5, color="#22272e", linewidth=1, linestyle=":")
        axes.text(150, 5.08, "5 s: the promise for documents", va="bottom", fontsize=9)
        axes.set_ylim(0, None)
        axes.set_xlim(0, 16_000)
        axes.set_xlabel("tokens of the prompt")
        axes.set_title("Seconds to the first token, by length of the prompt")
        axes.legend(loc="upper left", fontsize=8.5, ncols=3)
        axes.set_ylim(0, 1.45 * max(row[2] for rows in shown.values() for row in rows))
        figure.tight_layout()

    return shown, paint


PICTURES = {"restricted-chips.png": the_picture}
