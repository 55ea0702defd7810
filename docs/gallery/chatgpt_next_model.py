"""What `chatgpt-next-model.md` quotes: a model k times as heavy, on the fleet of the day and on one large enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gallery.chatgpt_2023 import LEAST as ALL_OF_IT
from gallery_runs import Told, duration, run_block, share, table, told, usd
from palette import BLUE, GREEN, INK, RED

NAME = "chatgpt-next-model"
LEAST = {1: 34, 2: 67, 4: 134, 8: 266}
"""By k: the fewest replicas with which 99 % wait at most two seconds."""
WHOLE = ALL_OF_IT
"""The fewest for the whole service, k = 1."""
SCALE = 10
"""The scenario is a tenth of the service."""
SHIPPED = 4


def run(k: int, replicas: int = LEAST[1]) -> Told:
    """A model k times as heavy as that of the day."""
    if (k, replicas) == (SHIPPED, LEAST[1]):
        return told(NAME)
    return told(NAME, f"workload.service.output={45 * k}ms", f"pools.chatgpt.autoscaler.replicas={replicas}")


def enough(k: int) -> Told:
    """The least fleet that keeps the promise."""
    return run(k, LEAST[k])


def left(of: Told) -> float:
    """The share of people who leave without an answer."""
    return float(of["requests.abandoned"] / of["requests.arrived"])


def per_day(of: Told) -> str:
    """USD a day of the whole service."""
    return usd(SCALE * of["cost.usd_per_day"])


def block() -> str:
    """The run as it ships."""
    return run_block(NAME, lines=10)


def same_fleet_table() -> str:
    """What becomes of the traffic on the fleet of the day."""
    rows = (
        (
            k,
            f"{45 * k} ms",
            share(of["slo.0.attained"]),
            duration(of["latency.queue_wait_s.p50"]),
            duration(of["latency.queue_wait_s.p99"]),
            share(left(of)),
            per_day(of),
        )
        for k, of in ((k, run(k)) for k in LEAST)
    )
    heads = "k: | a word: | wait at most 2 s: | wait of the answered, median: | p99: | leave unanswered: | a day:"
    return table(heads, *rows)


def enough_table() -> str:
    """What it takes to keep the promise."""
    rows = (
        (
            k,
            f"{SCALE * LEAST[k]:,}",
            f"{8 * SCALE * LEAST[k]:,}",
            per_day(of),
            usd(30 * SCALE * of["cost.usd_per_day"]),
            f"${of['cost.usd_per_request']:.4f}",
            duration(of["latency.e2e_s.p50"]),
            share(of["utilization.busy_share"]),
        )
        for k, of in ((k, enough(k)) for k in LEAST)
    )
    heads = "k: | replicas: | GPUs: | a day: | a month: | a reply: | whole reply, median: | busy:"
    return table(heads, *rows)


def the_choice() -> tuple[Any, Callable[[Any], None]]:
    """Spend that keeps the promise, and waits and losses without it, against k."""
    factors = list(LEAST)
    spend = [SCALE * enough(k)["cost.usd_per_day"] / 1000 for k in factors]
    same = [SCALE * run(k)["cost.usd_per_day"] / 1000 for k in factors]
    prompt = [100 * run(k)["slo.0.attained"] for k in factors]
    gone = [100 * left(run(k)) for k in factors]

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 3.6)
        money, people = figure.subplots(1, 2)
        places = range(len(factors))
        money.plot(places, spend, color=BLUE, marker="o", label="fleet that keeps the promise")
        money.plot(places, same, color=INK, marker="o", linestyle="--", label="fleet of the day")
        for place, value in zip(places, spend, strict=True):
            money.annotate(f"${value:,.0f}k", (place, value), (4, 8), textcoords="offset points", ha="right")
        money.set_title("Thousand dollars a day")
        money.set_ylim(0, 1.3 * max(spend))
        people.plot(places, prompt, color=GREEN, marker="o", label="wait at most 2 s")
        people.plot(places, gone, color=RED, marker="o", label="leave without an answer")
        people.set_title("Of all requests, %, on the fleet of the day")
        people.set_ylim(0, 125)
        people.set_yticks(range(0, 101, 20))
        for axes in (money, people):
            axes.set_xticks(places, [f"{k}" for k in factors])
            axes.set_xlabel("k: how much heavier the model is")
            axes.set_xlim(-0.45, 3.3)
        money.legend(loc="upper left")
        people.legend(loc="upper right")
        figure.tight_layout()

    return [[round(value, 6) for value in values] for values in (spend, same, prompt, gone)], paint


PICTURES = {f"{NAME}.png": the_choice}
