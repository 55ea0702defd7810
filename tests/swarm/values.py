"""Draws values for nodes of the schema, each scenario from its own few features.

Which optional keys a scenario uses at all, and which members of a union, is drawn once for the scenario (swarm testing:
all features at once hide one another). `ties`: times stand on a grid; `extremes`: some numbers are at an end of what
the schema allows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tests.swarm import laws, words
from tests.swarm.files import Files
from tests.swarm.grammar import Node, definitions_below, kind_of, options, quantity, resolved, short

T = TypeVar("T")
Range = tuple[float, float]

USUAL: dict[str, Range] = {
    "DURATION": (0.25, 90),
    "RATE": (0.1, 12),
    "COUNT": (1, 9),
    "AMOUNT": (0.5, 40),
    "SHARE": (0, 1),
    "SIZE": (1e8, 1e11),
    "BANDWIDTH": (1e8, 1e11),
    "OTHER": (0.5, 40),
}
MONEY: Range = (0.05, 50)

AT: dict[str, Range] = {
    "Latency.base_s": (0.004, 0.25),
    "Latency.prefill_s_per_token": (1e-5, 3e-4),
    "Latency.decode_s_per_seq": (1e-5, 1e-2),
    "Latency.attention_s_per_token": (1e-9, 1e-6),
    "Latency.overhead_s": (0.001, 0.1),
    "Batching.max_num_seqs": (1, 12),
    "Batching.max_batched_tokens": (64, 2048),
    "Batching.watermark": (0, 0.2),
    "Slots.concurrency": (1, 4),
    "Pool.kv_capacity_tokens": (560, 2200),
    "Offer.kv_capacity_tokens": (560, 2200),
    "NewVersion.kv_capacity_tokens": (560, 2200),
    "Pool.gpus_per_replica": (1, 4),
    "Offer.gpus_per_replica": (1, 4),
    "Crash.mtbf": (20, 900),
    "Spot.hazard": (0.0005, 0.02),
    "Spot.batch": (0, 1),
    "StockOut.refused": (0, 0.8),
    "Knative.max_scale_up_rate": (2, 1000),
    "Knative.max_scale_down_rate": (2, 10),
    "Knative.panic_threshold_percentage": (110, 400),
    "Knative.panic_window_percentage": (5, 50),
    "Knative.target_utilization": (10, 100),
    "PerToken.base": (0, 1),
    "PerToken.prompt": (1e-5, 1e-3),
    "PerToken.output": (1e-4, 2e-2),
    "Closed.users": (1, 8),
    "Diurnal.period": (20, 600),
    "Diurnal.peak": (1, 2),
    "Diurnal.trough": (0.2, 1),
    "Drift.cv": (0.1, 1.5),
    "Cox.cv": (0.1, 2),
    "Spike.factor": (0, 8),
    "Replayed.speed": (0.5, 4),
    "Replayed.limit": (1, 50),
    "Clients.patience": (0.5, 40),
    "Clients.max_in_flight": (1, 12),
    "ExponentialRetry.attempts": (2, 4),
    "FixedRetry.attempts": (2, 4),
    "ExponentialRetry.base": (0.05, 3),
    "ExponentialRetry.cap": (3, 30),
    "FixedRetry.base": (0.05, 5),
    "Hedge.attempts": (2, 3),
    "Quota.requests": (0.05, 3),
    "Quota.tokens": (20, 900),
    "Quota.token_burst": (500, 5000),
    "Central.max_waiting_tokens": (100, 4000),
    "PerReplica.max_waiting_tokens": (100, 4000),
    "ClassCap.max_waiting_tokens": (100, 4000),
    "KvTransfer.latency": (0.001, 0.5),
    "KvTransfer.bandwidth": (1e7, 1e10),
    "ByBytes.size": (1e9, 5e10),
    "EngineSheet.o0": (1e-4, 1e-2),
    "EngineSheet.o1": (1e-6, 1e-3),
    "Session.max_context": (100, 1200),
    "Speculation.draft_tokens": (1, 4),
    "Speculation.draft": (0.0005, 0.01),
    "QueueLength.target": (0.2, 6),
    "SloFeedback.target": (0.1, 10),
    "Watts.idle": (20, 200),
    "Watts.busy": (200, 900),
    "Owned.pue": (1, 2),
    "Scenario.max_price_age": (1e7, 1e9),
    "CapacityBlock.term": (60, 9000),
    "Reserved.term": (60, 1e8),
    "SavingsPlan.term": (60, 1e8),
    "CommittedSpend.term": (60, 1e8),
    "Range.step": (0.25, 2),
    "Step.adjustment": (-2, 3),
    "Step.lower": (0, 3),
    "Step.upper": (4, 9),
    "Predictive.season": (60, 300),
    "Predictive.bin": (5, 20),
}
"""Where numbers of a key usually lie."""

BY_KEY: dict[str, Range] = {
    "min_replicas": (0, 2),
    "max_replicas": (2, 7),
    "start_replicas": (1, 4),
    "replicas": (1, 5),
    "desired_replicas": (0, 5),
    "idle_replicas": (0, 1),
    "priority": (0, 3),
    "weight": (1, 5),
    "gpus": (1, 12),
    "most": (1, 6),
    "zones": (1, 3),
    "zone": (0, 1),
    "phases": (1, 4),
    "cv": (0.1, 2.5),
    "shape": (0.4, 3),
    "sigma": (0.1, 1.5),
    "scrape_interval": (1, 30),
    "period": (5, 60),
    "sync_period": (5, 60),
    "interval": (5, 60),
    "tick": (2, 20),
    "metrics_interval": (1, 20),
    "polling_interval": (5, 60),
    "look_back_period": (5, 60),
    "prompt_tokens": (1, 400),
    "output_tokens": (1, 60),
    "isl": (50, 500),
    "context_length": (100, 900),
    "max_batched_tokens": (64, 2048),
    "max_num_seqs": (1, 12),
    "seed": (0, 1e6),
    "years": (0.01, 8),
    "months": (1, 12),
    "threshold": (0.2, 8),
    "periods": (1, 4),
    "datapoints": (1, 2),
}

LAW_OF: dict[str, Range] = {
    "prompt_tokens": (10, 300),
    "output_tokens": (2, 90),
    "size": (1, 5),
    "calls": (1, 3),
    "turns": (1, 4),
    "gap": (0.4, 4),
    "service": (0.1, 9),
    "think": (0.5, 15),
    "delay": (0.1, 4),
    "patience": (0.5, 40),
    "bytes_per_s": (1e8, 1e10),
}
"""About how large what a law under a key gives is."""

MOST_REPLICAS = 40
POWERS = (0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)


class Drawer:
    """What draws one scenario."""

    def __init__(self, seed: int, folder: Path, wanted: frozenset[str] = frozenset()) -> None:
        self.wanted = wanted
        """Keys (`Hpa.behavior`) that the scenario is to have rather than others."""
        self.wanted_in = frozenset(laws.plain_name(name.partition(".")[0]) for name in wanted)
        self.rng = np.random.default_rng([seed, 1010])
        self.files = Files(folder, f"data-{seed}")
        self.ties = self.chance(0.3)
        self.extremes = self.chance(0.15)
        self.density = float(self.rng.choice([0.04, 0.12, 0.3, 0.6]))
        self.faulty = self.chance(0.4)
        """Elastic, with faults and clients that try again."""
        self.pools = ["a", "b", "c"][: 1 + int(self.rng.choice(3, p=[0.55, 0.35, 0.1]))]
        self.pool = ""
        """The one that is being drawn."""
        self.streams: list[str] = []
        self.carried: dict[str, list[str]] = {"class": [], "tenant": [], "model": []}
        """By streams."""
        self.models: list[str] = []
        """Of pools."""
        self._on: dict[str, bool] = {}
        self._unions: dict[tuple[str, ...], list[str]] = {}

    # -- luck --------------------------------------------------------------------------------------------------------

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def one_of(self, values: Sequence[T]) -> T:
        return values[int(self.rng.integers(len(values)))]

    def uses(self, owner: str, key: str, node: Node | None = None) -> bool:
        """Whether an optional key is used here: most of the time where the scenario has the feature."""
        feature = f"{owner}.{key}"
        if feature in self.wanted or f"Duration{feature}" in self.wanted or f"Token{feature}" in self.wanted:
            return self.chance(0.8)
        if self.wanted and node is not None and self.wanted_in & definitions_below(node) and self.chance(0.3):
            return True
        if feature not in self._on:
            self._on[feature] = self.chance(self.density)
        return self._on[feature] and self.chance(0.75)

    def picks(self, found: Sequence[Node]) -> Node:
        """A member of a union, among those that this scenario has."""
        names = [kind_of(node) for node in found]
        known = tuple(names)
        if self.wanted and self.chance(0.8):
            own = [node for node in found if self.wanted_in & ({kind_of(node)} | definitions_below(node))]
            if own:
                return self.one_of(own)
        if known not in self._unions:
            self._unions[known] = list(self.rng.permutation(names)[: int(self.rng.integers(1, 4))])
        return found[names.index(self.one_of(self._unions[known]))]

    # -- nodes -------------------------------------------------------------------------------------------------------

    def value(self, node: Node, owner: str, key: str, scale: Range | None = None) -> Any:
        """Something that fits a node, which stands at `key` of `owner`. `scale`: about how large a law's values are."""
        scale = LAW_OF.get(key, scale)
        found = [each for each in options(node) if each.get("type") != "null"]
        if key in laws.SHEETS and found[0].get("examples"):
            known: Sequence[str] = words.SHEETS.get(key) or found[0]["examples"]
            name = self.one_of(known)
            return name if self.chance(0.9) else {"from": self.one_of(known)}
        if len(found) > 1:
            return self.value(self.picks(found), owner, key, scale)
        node = found[0]
        measured = quantity(node)
        if measured:
            return self.number(measured, node["anyOf"][0], owner, key, scale)
        name, node = resolved(node)
        if name:
            return self.model(short(name), node, scale)
        return self.plain(node, owner, key, scale)

    def plain(self, node: Node, owner: str, key: str, scale: Range | None) -> Any:
        """A leaf, a list or a table."""
        if "const" in node:
            return node["const"]
        if "enum" in node:
            new = [value for value in node["enum"] if f"{owner}.{key}={value}" in self.wanted]
            return self.one_of(new or node["enum"])
        kind = node.get("type")
        if kind == "boolean":
            return self.chance(0.5)
        if kind in ("integer", "number"):
            return self.number("COUNT" if kind == "integer" else "AMOUNT", node, owner, key, scale)
        if kind == "array":
            if "prefixItems" in node:
                return [self.value(each, owner, key, scale) for each in node["prefixItems"]]
            count = laws.LENGTHS.get(f"{owner}.{key}") or int(self.rng.integers(1, 4))
            return [self.value(node["items"], owner, key, scale) for _ in range(max(count, node.get("minItems", 0)))]
        if kind == "object":
            return self.table(node, owner, key, scale)
        if key == "manifest":
            return self.files.manifest(self)
        return self.one_of(node["examples"]) if node.get("examples") else words.text(self, owner, key)

    def table(self, node: Node, owner: str, key: str, scale: Range | None) -> dict[Any, Any]:
        """A mapping whose keys are names or numbers; or one with keys of its own (`from`)."""
        if "properties" in node:
            return {name: self.value(below, owner, name) for name, below in node["properties"].items()}
        names: Sequence[Any] = laws.KEYS.get(f"{owner}.{key}", words.CLASSES)
        allowed = node.get("propertyNames", {}).get("enum")
        names = allowed or names
        if names is laws.POOLS:
            names = self.pools
        taken = [name for name in names if self.chance(0.7)] or [names[0]]
        values = node.get("additionalProperties", {})
        return {name: self.value(values, owner, key, scale) for name in taken}

    def model(self, name: str, node: Node, scale: Range | None = None) -> dict[str, Any]:
        """The keys of a model: those required, and some of the others."""
        made: dict[str, Any] = {}
        required = node.get("required", ())
        taken, skip = laws.way(self, name)
        for key, below in node["properties"].items():
            if key in skip:
                continue
            told = key in required or key in (*taken, *laws.ALWAYS.get(name, ()))
            if told or (key == "kind" and "const" in below) or self.uses(name, key, below):
                made[key] = self.value(below, name, key, scale)
        fit = getattr(laws, f"fit_{name.lower()}", None)
        return fit(self, made) if fit else made

    # -- numbers -----------------------------------------------------------------------------------------------------

    def number(self, measured: str, limits: Node, owner: str, key: str, scale: Range | None) -> Any:
        """A number of a kind, within the limits of its node."""
        low, high = AT.get(f"{owner}.{key}") or self._usual(measured, owner, key, scale)
        least = limits.get("exclusiveMinimum", limits.get("minimum", -math.inf))
        most = limits.get("maximum", math.inf)
        most = min(most, MOST_REPLICAS) if key.endswith("replicas") else most
        whole = limits.get("type") == "integer"
        if self.extremes and self.chance(0.06):
            ends = [end for end in (least, most, 1e-9, 0.0, 1e6) if least <= end <= most and abs(end) <= 1e9]
            value = float(self.one_of(ends or [1.0]))
        elif measured == "SHARE":
            value = (
                float(self.one_of((low, high, 0.25, 0.5))) if self.chance(0.4) else float(self.rng.uniform(low, high))
            )
        elif whole or low <= 0:
            value = float(self.rng.uniform(low, high))
        else:
            value = math.exp(float(self.rng.uniform(math.log(low), math.log(high))))
        if self.ties and measured in ("DURATION", "RATE") and value >= 0.1:
            value = min(POWERS, key=lambda power: abs(math.log(power / value)))
        value = min(max(value, least), most)
        if "exclusiveMinimum" in limits and value <= least:
            value = max(least, 0.0) + (1 if whole else 1e-3)
        if whole:
            return max(round(value), math.ceil(min(least, 1e9)) if least > -math.inf else -(10**9))
        return laws.spelt(self, measured, float(f"{value:.9g}"), owner)

    def _usual(self, measured: str, owner: str, key: str, scale: Range | None) -> Range:
        if owner in laws.LAWS and key in laws.SIZED:
            return scale or USUAL["DURATION"]
        if measured.startswith("USD"):
            return MONEY
        found = BY_KEY.get(key)
        return found if found and measured != "SHARE" else USUAL.get(measured, USUAL["OTHER"])
