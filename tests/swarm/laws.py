"""What a schema cannot say: keys that go with others, lists of one length, values that rise.

`fit_NAME` makes what was drawn of a definition consistent. Without one it stays as drawn, and what the loader refuses
of it is taken out again (`generate`), so a new member of a union is drawn from the day it is there.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sim.config.units import DURATION
from tests.swarm import words

if TYPE_CHECKING:
    from tests.swarm.values import Drawer

Keys = dict[str, Any]

SHEETS = ("model", "gpu", "engine", "book")
"""Keys that are given by the name of a file of the catalogue."""
POOLS = ("the scenario's pools",)
LAWS: tuple[str, ...] = (
    "Constant",
    "Exponential",
    "Erlang",
    "Gamma",
    "Weibull",
    "Lognormal",
    "Uniform",
    "Hyperexponential",
    "Quantiles",
)
LAWS += ("Histogram",)
SIZED: tuple[str, ...] = (
    "value",
    "mean",
    "scale",
    "median",
    "p99",
    "low",
    "high",
    "means",
    "at",
    "values",
    "min",
    "max",
)
"""Keys of laws that are of the size of what the law gives."""
LENGTHS = {"Mmpp.rates": 2, "Mmpp.leave": 2, "ByHour.usd": 24, "Owned.tariff": 24, "Owned.co2_g_per_kwh": 24}
LENGTHS |= {"Spot.hazard": 24, "StockOut.refused": 24, "Hyperexponential.p": 2, "Hyperexponential.means": 2}
LENGTHS |= {"Curve.points": 4, "Histogram.values": 3, "Histogram.weights": 3, "OwnedOption.tariff": 24}
LENGTHS |= {"OwnedOption.co2_g_per_kwh": 24, "Delayed.share": 24, "Pool.rollouts": 1}
KEYS: dict[str, Any] = {
    "Quantiles.at": (0, 0.5, 0.9, 1),
    "SlaCredits.tiers": ("99%", "90%"),
    "LostUsers.curve": ("1s", "5s", "20s"),
    "Watts.at": ("20%", "60%"),
    "PlanSpec.pools": POOLS,
    "OverTime.launches": POOLS,
    "OverTime.migrations": POOLS,
    "OverTime.regions": ("north", "south"),
    "OverTime.quotas": words.GPUS[:2],
    "OverTime.node": words.GPUS[:2],
    "PlannedRegion.prices": words.GPUS[:2],
    "PlannedRegion.quotas": words.GPUS[:2],
    "PriceBook.currencies": ("USD",),
    "Tune.ranges": ("pools.a.queue.max_waiting",),
    "FutureDemand.scenarios": ("low", "high"),
    "MonthlyFile.probabilities": ("p50",),
}
"""The keys that a table may have."""
ALWAYS: dict[str, tuple[str, ...]] = {
    "Watts": ("idle", "busy"),
    "Boot": ("node", "weights"),
    "Session": ("think",),
    "Metric": ("how",),
}


def way(drawer: Drawer, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of several ways to say a thing, one: the keys that are drawn, and those that are not."""
    ways: dict[str, tuple[tuple[str, ...], ...]] = {
        "Gamma": (("mean", "cv"), ("shape", "scale")),
        "Weibull": (("mean", "cv"), ("shape", "scale")),
        "Lognormal": (("mean", "cv"), ("mu", "sigma"), ("median", "p99")),
        "Hyperexponential": (("p", "means"), ("mean", "cv")),
        "Histogram": (("values", "weights"), ("values", "weights"), ("file",)),
        "Curve": (("points",), ("file", "columns")),
    }
    if name not in ways:
        return (), ()
    taken = drawer.one_of(ways[name])
    return taken, tuple(key for each in ways[name] for key in each if key not in taken)


def plain_name(name: str) -> str:
    """A model's name as the schema has it: without what a law is of."""
    for of_what in ("Duration", "Token", "Bandwidth"):
        if name.removeprefix(of_what) in LAWS:
            return name.removeprefix(of_what)
    return name


def spelt(drawer: Drawer, measured: str, value: float, owner: str) -> Any:
    """A number, now and then as a text with its unit."""
    if drawer.chance(0.9) or owner in ("Quantiles", "SlaCredits"):
        return value
    if measured == "DURATION" and value >= 1e-3:
        return f"{round(value * 1000)}ms" if value < 10 and round(value * 1000) / 1000 == value else value
    if measured == "SHARE":
        return f"{value * 100!r}%" if 0 <= value <= 1 and (value * 100) / 100 == value else value
    if measured == "RATE":
        return f"{value!r}/s"
    return f"${value!r}" if measured == "USD" else value


def seconds(value: Any) -> float:
    """A duration as drawn, in seconds."""
    return float(DURATION.parse(value)) if isinstance(value, int | float | str) else math.inf


# -- laws of numbers ---------------------------------------------------------------------------------------------------


def _clamped(drawer: Drawer, made: Keys, size: float) -> Keys:
    for name, times in (("min", 0.5), ("max", 3.0)):
        if name in made:
            made[name] = size * times
    return made


def _size(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 1.0


def fit_constant(drawer: Drawer, made: Keys) -> Keys:
    return _clamped(drawer, made, _size(made.get("value")))


def fit_exponential(drawer: Drawer, made: Keys) -> Keys:
    return _clamped(drawer, made, _size(made.get("mean")))


fit_erlang = fit_gamma = fit_weibull = fit_exponential


def fit_lognormal(drawer: Drawer, made: Keys) -> Keys:
    if "mu" in made:
        made["mu"] = float(drawer.rng.uniform(-1, 4))
    if "median" in made:
        made["median"] = max(_size(made["median"]), 1e-6)
        made["p99"] = made["median"] * float(drawer.rng.uniform(1.5, 8))
    return _clamped(drawer, made, _size(made.get("mean", made.get("median"))))


def fit_uniform(drawer: Drawer, made: Keys) -> Keys:
    if all(isinstance(made.get(name), int | float) for name in ("low", "high")):
        made["low"], made["high"] = sorted((made["low"], made["high"]))
    return _clamped(drawer, made, _size(made.get("high")))


def fit_hyperexponential(drawer: Drawer, made: Keys) -> Keys:
    if "p" in made:
        made["p"] = [0.75, 0.25]
    if "cv" in made:
        made["cv"] = 1 + _size(made["cv"])
    return _clamped(drawer, made, _size(made.get("mean")))


def fit_quantiles(drawer: Drawer, made: Keys) -> Keys:
    values = sorted(float(DURATION.parse(value)) if isinstance(value, str) else value for value in made["at"].values())
    shares = [0, 0.5, 0.9, 1][-len(values) :] if len(values) != 1 else [0, 1]
    shares[0] = 0
    made["at"] = dict(zip(shares, values * 2 if len(values) == 1 else values, strict=True))
    return _clamped(drawer, made, _size(max(values)))


def fit_histogram(drawer: Drawer, made: Keys) -> Keys:
    if "weights" in made:
        made["weights"][0] = 1.0
    return _clamped(drawer, made, 5.0)


def fit_curve(drawer: Drawer, made: Keys) -> Keys:
    for place, point in enumerate(made.get("points", ())):
        point[0] = place * (8.0 if drawer.ties else 7.3)
    if "points" in made:
        made["points"][0][1] = 0.5
    if "period" in made:
        made["repeat"] = True
    kept = [name for name in ("scale", "mean", "peak") if name in made][1:]
    return {name: value for name, value in made.items() if name not in kept}


def fit_replayed(drawer: Drawer, made: Keys) -> Keys:
    if "format" in made or drawer.files.format != "plain":
        made["format"] = drawer.files.format
    return made


# -- clients, queues ---------------------------------------------------------------------------------------------------


def fit_clients(drawer: Drawer, made: Keys) -> Keys:
    order = ("token_timeout", "first_token_timeout", "total_timeout")
    plain = [name for name in order if isinstance(made.get(name), int | float | str)]
    for name, value_s in zip(plain, sorted(seconds(made[name]) for name in plain), strict=True):
        made[name] = value_s
    if "hedge" in made and plain:
        after_s = 0.5 * seconds(made[plain[-1]])
        made["hedge"]["after"] = min(after_s, *(0.5 * seconds(made[name]) for name in plain))
    return made


def fit_exponentialretry(drawer: Drawer, made: Keys) -> Keys:
    if "budget_burst" in made:
        made.setdefault("budget", 0.25)
    if "on" in made:
        made["on"] = list(dict.fromkeys(made["on"]))
    if "cap" in made:
        made["cap"] = max(seconds(made["cap"]), seconds(made.get("base", 1.0)))
    return made


fit_fixedretry = fit_exponentialretry


def fit_central(drawer: Drawer, made: Keys) -> Keys:
    if "preemptive" in made or "aging" in made:
        made["order"] = "priority"
    if made.get("order") == "weighted_fair" or "aging" in made:
        made.pop("fair", None)
    return made


fit_perreplica = fit_central


def fit_shedbydelay(drawer: Drawer, made: Keys) -> Keys:
    target_s, interval_s = sorted((seconds(made.get("target", 0.5)), seconds(made.get("interval", 1.0))))
    return made | {"target": max(target_s, 1e-3), "interval": max(interval_s, 1e-3)}


def fit_quota(drawer: Drawer, made: Keys) -> Keys:
    if not {"requests", "tokens"} & made.keys() or "burst" in made:
        made["requests"] = 0.5
    if "token_burst" in made:
        made["tokens"] = 400
    return made


# -- pools -------------------------------------------------------------------------------------------------------------


def fit_batching(drawer: Drawer, made: Keys) -> Keys:
    made.setdefault("max_num_seqs", int(drawer.rng.integers(1, 12)))
    made.setdefault("max_batched_tokens", int(drawer.rng.integers(64, 2049)))
    drafted = made["speculation"]["draft_tokens"] if "speculation" in made else 0
    if made["max_num_seqs"] <= 10**6:
        made["max_batched_tokens"] = max(made["max_batched_tokens"], made["max_num_seqs"] * (1 + drafted))
    if made.get("chunked_prefill") is False:
        made["max_batched_tokens"] = max(made["max_batched_tokens"], 2048)
    return made


def fit_offer(drawer: Drawer, made: Keys) -> Keys:
    if made.get("market") == "spot":
        made.setdefault("spot", {"hazard": 0.005})
    elif "spot" in made:
        made["market"] = "spot"
    if "name" in made:
        made["name"] = f"{made['name']} {drawer.files.count} {int(drawer.rng.integers(10**6))}"
    return made


def fit_zoneoutage(drawer: Drawer, made: Keys) -> Keys:
    for key in ("region", "zone"):
        if key in made and drawer.chance(0.7):
            del made[key]
    return made | {"at": 4.0 * int(drawer.rng.integers(1, 30))}


def fit_rollout(drawer: Drawer, made: Keys) -> Keys:
    for key in ("max_surge", "max_unavailable"):
        if key in made:
            made[key] = drawer.one_of((1, 2, "25%", "100%"))
    return made


def fit_between(drawer: Drawer, made: Keys) -> Keys:
    return made or {"over": 100}


def fit_generated(drawer: Drawer, made: Keys) -> Keys:
    if "model" in made and drawer.chance(0.8):
        del made["model"]
    if "session" in made and drawer.chance(0.7):
        made.pop("cached_share", None)
    return made


def fit_diurnal(drawer: Drawer, made: Keys) -> Keys:
    swing = float(drawer.one_of((0.0, 0.25, 0.5, 0.9)))
    return made | {"peak": 1 + swing, "trough": 1 - swing}


def of_slots(found: Any) -> Any:
    """A pool, offers and later versions of it without what slots do not have."""
    engine: tuple[str, ...] = (
        "latency",
        "kv_capacity_tokens",
        "kv_transfer",
        "model",
        "engine",
        "latency_source",
        "precision",
    )
    engine = (*engine, "kv_precision", "expert_parallel", "memory_share")
    for each in (found, *found.get("supply", ()), *(rollout.get("to", {}) for rollout in found.get("rollouts", ()))):
        for key in engine:
            each.pop(key, None)
    return found


def fit_crash(drawer: Drawer, made: Keys) -> Keys:
    made.setdefault("mtbf", 120.0)
    if made.get("scope") == "node":
        made["replicas_per_node"] = 2
    else:
        made.pop("replicas_per_node", None)
    return made


# -- money -------------------------------------------------------------------------------------------------------------


def fit_watts(drawer: Drawer, made: Keys) -> Keys:
    if "at" in made:
        made["at"] = dict.fromkeys(made["at"], 0.5 * (made["idle"] + made["busy"]))
    if "off" in made:
        made["off"] = made["idle"] / 2
    return made


def fit_slacredits(drawer: Drawer, made: Keys) -> Keys:
    return made | {"tiers": {"99%": 0.1, "90%": 0.25}}


def fit_lostusers(drawer: Drawer, made: Keys) -> Keys:
    if "curve" in made:
        made["curve"] = {"1s": 0, "5s": 0.1, "20s": 0.5}
        for name in ("beyond", "share"):
            made.pop(name, None)
    else:
        made |= {"beyond": "2s", "share": 0.1}
    if "users" in made:
        made.pop("requests_per_user_per_day", None)
    return made


def fit_lostrequests(drawer: Drawer, made: Keys) -> Keys:
    if "outcomes" in made:
        made["outcomes"] = list(dict.fromkeys(made["outcomes"]))
    return made


def fit_reserved(drawer: Drawer, made: Keys) -> Keys:
    if "price" in made:
        made.pop("discount", None)
    return made if "discount" in made else made | {"price": 1.5}


def fit_meanreverting(drawer: Drawer, made: Keys) -> Keys:
    if "most" in made:
        made["most"] = 4 * _size(made["mean"])
    return made


def fit_price(drawer: Drawer, made: Keys) -> Keys:
    return made | {name: "2026-05-01" for name in made if name.endswith("as_of")}


# -- policies ----------------------------------------------------------------------------------------------------------


def _metric(drawer: Drawer, made: Keys) -> Keys:
    """A metric read in the way that it can be read."""
    name = made.get("metric", "")
    if name.endswith("_total"):
        made["how"] = "rate"
        made["over"] = 30.0
    elif name.endswith("_seconds"):
        made["how"] = drawer.one_of(("mean", "p50", "p99"))
        made["over"] = 60.0
    elif made.get("how", "last") != "last":
        made["how"] = drawer.one_of(("mean", "max", "min"))
        made["over"] = 60.0
    else:
        made.pop("over", None)
    return made


def fit_metric(drawer: Drawer, made: Keys) -> Keys:
    made = _metric(drawer, made)
    kind = made.setdefault("type", "AverageValue")
    if kind == "Utilization":
        made |= {"metric": drawer.one_of(("busy_share", "kv_cache_usage_perc")), "target": 60}
        made |= {"source": "resource", "how": "last"}
        made.pop("across", None)
        made.pop("over", None)
    elif kind == "Value":
        made["source"] = drawer.one_of(("object", "external"))
    if made.get("source") in ("pods", "resource"):
        made.pop("across", None)
    elif made.get("across") == "each":
        made["across"] = "max"
    return made


def fit_metrictrigger(drawer: Drawer, made: Keys) -> Keys:
    made = _metric(drawer, made)
    if made.get("across") == "each":
        made["across"] = "sum"
    return made


fit_signal = fit_trackedmetric = fit_steppolicy_metric = _metric


def fit_steppolicy(drawer: Drawer, made: Keys) -> Keys:
    made = _metric(drawer, made)
    up = made["comparison"].startswith("Greater")
    one = int(drawer.rng.integers(1, 3))
    steps = [{"lower": 0, "upper": 3, "adjustment": one}, {"lower": 3, "adjustment": one + 1}]
    made["steps"] = steps if up else [{"upper": 0, "adjustment": -one}]
    if made.get("adjustment_type") == "ExactCapacity":
        made["steps"] = [step | {"adjustment": abs(step["adjustment"])} for step in made["steps"]]
    if made.get("adjustment_type") != "PercentChangeInCapacity":
        made.pop("min_adjustment_magnitude", None)
    return made


def fit_alarm(drawer: Drawer, made: Keys) -> Keys:
    return made | {"datapoints": min(made["datapoints"], made["periods"])}


def _bounds(drawer: Drawer, made: Keys) -> Keys:
    if "max_replicas" in made:
        made["min_replicas"] = min(made.get("min_replicas", 1), made["max_replicas"])
    else:
        made["max_replicas"] = 4 + int(drawer.rng.integers(4))
    return made


fit_hpa = fit_knative = fit_aibrix = fit_rayserve = fit_targettracking = fit_stepscaling = fit_gcpmig = fit_wva = (
    _bounds
)
fit_dynamoplanner = fit_queuelength = fit_slofeedback = fit_clairvoyant = _bounds


def fit_keda(drawer: Drawer, made: Keys) -> Keys:
    made = _bounds(drawer, made)
    if "idle_replicas" in made:
        made |= {"idle_replicas": 0, "min_replicas": max(made.get("min_replicas", 1), 1)}
    return made


def fit_predictive(drawer: Drawer, made: Keys) -> Keys:
    return _bounds(drawer, made) | {"season": 120.0, "bin": 10.0, "lead": 20.0, "period": 10.0}


def fit_scaleincontrol(drawer: Drawer, made: Keys) -> Keys:
    kept = drawer.one_of(("max_scaled_in_replicas", "max_scaled_in_percent"))
    both = {"max_scaled_in_replicas": 1, "max_scaled_in_percent": 0.5}
    return {"time_window": made["time_window"], kept: both[kept]}
