"""Texts that a scenario may hold: names of its own things, of the catalogue's, metrics, times of day, sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.autoscaling import observation
from sim.config import catalogue

if TYPE_CHECKING:
    from tests.swarm.values import Drawer

METRICS = sorted(
    value.removeprefix("vllm:")
    for name, value in vars(observation).items()
    if name.isupper() and isinstance(value, str)
)
CLASSES = ("gold", "free")
TENANTS = ("acme", "globex")
MODELS = ("llama-3-8b", "qwen3-30b-a3b", "mistral-7b", "gemma-3-12b", "llama-4-scout-fp8")
GPUS = ("h100-sxm", "l4", "a100-80gb", "h200", "rtx-pro-6000")
SHEETS = {"model": MODELS, "gpu": GPUS}
SENTENCES = (
    "p99 ttft < 1s",
    "mean e2e <= 10s with 90% confidence",
    "requests.rejected = 0",
    "usd_per_hour < 100",
    "busy_share > 10%",
)
TEXTS: dict[str, tuple[str, ...]] = {
    "days": ("daily", "mon-fri", "sat, sun", "tue"),
    "from": ("00:00", "08:30", "23:59"),
    "to": ("00:05", "12:00", "18:30"),
    "start_at": ("mon 00:00", "tue 08:30", "sun 23:58"),
    "start": ("* * * * *", "2 * * * *", "0 6 * * 1-5"),
    "end": ("1 * * * *", "30 * * * *", "0 0 * * *"),
    "timezone": ("UTC", "Europe/Paris", "America/New_York"),
    "run_starts": ("2026-06-01T00:00:00", "2024-12-31T23:59:00"),
    "region": ("", "north"),
    "as_of": ("2026-05-01", "2026-05-31"),
    "starts": ("2026-06-01", "2026-05-31"),
    "currency": ("USD",),
    "budget": ("10 runs", "1M requests", "10m"),
    "month": ("2026-08", "2027-01"),
    "book": catalogue.names(catalogue.PRICES),
    "boot": catalogue.names(catalogue.BOOTS),
    "engine": catalogue.names(catalogue.ENGINES),
    "name": ("first", "second", "third", "fourth"),
}
"""By key; other texts are free."""


def text(drawer: Drawer, owner: str, key: str) -> Any:
    """A text for a key of a definition."""
    if owner == "Generated" or owner == "Replayed":
        if key == "model":
            return drawer.one_of(drawer.models or ("one", "other"))
        if key == "trace":
            return drawer.files.trace(drawer)
    if key == "file":
        return drawer.files.table(drawer, owner)
    if key == "columns":
        return drawer.one_of(("at_s", "per_s"))
    if key in ("pool", "to", "pools") and owner not in ("Row", "Range"):
        return drawer.one_of([name for name in drawer.pools if name != drawer.pool] or drawer.pools)
    if key == "stream":
        return drawer.one_of(drawer.streams or ("s0",))
    if key in ("class", "tenant"):
        known = {"class": CLASSES, "tenant": TENANTS}[key]
        return drawer.one_of(known if owner in ("Generated", "Replayed") else drawer.carried[key] or known)
    if key == "metric":
        return drawer.one_of(METRICS)
    if key in ("gpu", "gpus"):
        return drawer.one_of(GPUS)
    if key == "model":
        return drawer.one_of(drawer.carried["model"] or ("one", "other") if owner == "Route" else MODELS)
    if key == "assert":
        return drawer.one_of(SENTENCES)
    if owner == "Range":
        return drawer.one_of((1, 2)) if key == "from" else drawer.one_of((4, 8))
    return drawer.one_of(TEXTS.get(key, ("some text", "Ünïcode \u2603", "x")))
