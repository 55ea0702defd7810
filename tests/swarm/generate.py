"""A random scenario: drawn, made small, and mended by the loader's own complaints until it loads.

A complaint must name a key, and a scenario that is refused must be refused with complaints: anything else that is
raised here is a finding.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sim.config.errors import ConfigError, DataError, Problem
from sim.fleet import deadlines, quotas, setup
from sim.scenario import Scenario, load
from tests.elastic import BATCHING
from tests.swarm import laws, words
from tests.swarm.grammar import kind_of, options, schema
from tests.swarm.values import Drawer

Keys = dict[str, Any]

MOST_REQUESTS = 220
MOST_TICKS = 900
ROUNDS = 60

PLAIN: Keys = {
    "autoscaler": {"kind": "fixed", "replicas": 2},
    "arrivals": {"kind": "poisson", "rate": 0.5},
    "prompt_tokens": {"kind": "uniform", "low": 1, "high": 300},
    "output_tokens": {"kind": "uniform", "low": 1, "high": 50},
    "service": {"kind": "exponential", "mean": 1.5},
}
"""What takes the place of required keys that nothing could be made of."""

ELASTIC = {"Hpa", "Keda", "Knative", "Aibrix", "RayServe", "TargetTracking", "StepScaling", "GcpMig", "Wva"}
ELASTIC |= {"DynamoPlanner", "QueueLength", "SloFeedback", "Predictive", "Clairvoyant", "Scheduled"}
"""What fleets that fail and are retried are scaled by."""


@dataclass
class Made:
    """A scenario as keys, and loaded."""

    keys: Keys
    scenario: Scenario
    refused: Counter[str] = field(default_factory=Counter)
    """Complaints on the way, by the key that they name (places of lists and names of users left out)."""
    ties: bool = False


class RefusedError(AssertionError):
    """A scenario that the loader never takes, or that it falls over."""

    def __init__(self, told: str, keys: Keys) -> None:
        self.keys = keys
        super().__init__(told)


def made(seed: int, folder: Path, wanted: frozenset[str] = frozenset()) -> Made:
    """The scenario of a seed; its data files are written to the folder. `wanted`: keys that it is to have if it can."""
    drawer = Drawer(seed, folder, wanted)
    keys = drawn(drawer, seed)
    refused: Counter[str] = Counter()
    tries: Counter[str] = Counter()
    for _ in range(ROUNDS):
        try:
            scenario = load(keys)
            if fitted(keys, scenario):
                scenario = load(keys)
            servable(scenario)
            return Made(keys, scenario, refused, drawer.ties)
        except ConfigError as error:
            problems = error.problems
        except DataError as error:
            problems = (error.problem,)
        except Exception as error:
            raise RefusedError(f"loading raises {type(error).__name__}: {error}", keys) from error
        for problem in problems:
            assert problem.message, "a complaint that says nothing"
            refused[problem.path] += 1
        mend(keys, problems, tries)
    raise RefusedError(f"seed {seed} is refused for ever: {problems}", keys)


def drawn(drawer: Drawer, seed: int) -> Keys:
    """A whole scenario, perhaps a wrong one."""
    top = schema()["properties"]
    definitions = schema()["$defs"]
    slots = {name: drawer.chance(0.4) for name in drawer.pools}
    drawer.streams = [f"s{place}" for place in range(max(len(drawer.pools), int(drawer.rng.integers(1, 4))))]
    horizon = drawer.one_of((64, 240, 512)) if drawer.ties else float(drawer.rng.choice([40.0, 300.0, 900.0]))
    keys: Keys = {"name": f"swarm {seed}", "horizon": horizon}
    if drawer.faulty:
        drawer._on |= {f"Pool.{key}": True for key in ("faults", "supply") if drawer.chance(0.8)}
        drawer._on |= dict.fromkeys(
            ("Generated.clients", "Replayed.clients", "Clients.retry", "Clients.patience"), True
        )
        drawer._on |= {"Pool.faults": True}
        drawer._on |= {f"{kind}.max_waiting": drawer.chance(0.5) for kind in ("Central", "PerReplica")}
    keys["pools"] = {}
    for name in drawer.pools:
        drawer.pool = name
        keys["pools"][name] = pool(drawer, definitions["Pool"], slots[name])
    drawer.pool = ""
    handing_over(drawer, keys["pools"], slots)
    drawer.models = [each["model"] for each in keys["pools"].values() if isinstance(each.get("model"), str)]
    if drawer.faulty:
        for each in keys["pools"].values():
            each.setdefault("faults", [{"kind": "crash", "mtbf": 90.0}])
    streams = {}
    for place, name in enumerate(drawer.streams):
        home = drawer.pools[place % len(drawer.pools)]
        streams[name] = stream(drawer, definitions, slots[home]) | {"pool": home}
    if len(streams) == 1 and drawer.chance(0.4):
        keys["workload"] = streams["s0"]
        drawer.streams = []
    else:
        keys["workload"] = {"streams": streams}
        if drawer.uses("Streams", "clients"):
            keys["workload"]["clients"] = drawer.value({"$ref": "#/$defs/Clients"}, "Streams", "clients")
    if not drawer.faulty and drawer.chance(0.15):
        one_line(drawer, keys)
    for which in drawer.carried:
        drawer.carried[which] = sorted({each[which] for each in streams.values() if which in each})
    for key, node in top.items():
        if key in ("name", "horizon", "pools", "workload"):
            continue
        if key == "contracts":
            if drawer.uses("Scenario", key, node):
                names = [f"c{place}" for place in range(int(drawer.rng.integers(1, 4)))]
                below = node["additionalProperties"]
                keys[key] = {name: drawer.value(below, "Scenario", key) for name in names}
        elif key in ("classes", "tenants"):
            names = carried(keys["workload"], key)
            if names and drawer.chance(0.7):
                below = node["additionalProperties"]
                keys[key] = {name: drawer.value(below, "Scenario", key) for name in names}
        elif key == "seed" or drawer.uses("Scenario", key, node):
            keys[key] = drawer.value(node, "Scenario", key)
    if "warmup" in keys and laws.seconds(keys["warmup"]) >= horizon:
        keys["warmup"] = horizon / 4
    return keys


def one_line(drawer: Drawer, keys: Keys) -> None:
    """Servers behind one line, and clients that just wait: what theorems are about."""
    for each in keys["pools"].values():
        replica = each["replica"]
        if replica["kind"] != "slots":
            continue
        each.clear()
        queue: Keys = {"kind": "central"} | ({"max_waiting": 0} if drawer.chance(0.3) else {})
        count = {"kind": "fixed", "replicas": int(drawer.rng.integers(1, 4))}
        each |= {"replica": replica, "queue": queue, "autoscaler": count}
    keys["workload"].pop("clients", None)
    for stream in keys["workload"].get("streams", {"": keys["workload"]}).values():
        for key in ("clients", "session"):
            stream.pop(key, None)


def carried(workload: Keys, key: str) -> list[str]:
    """The classes or tenants that streams carry."""
    which = {"classes": "class", "tenants": "tenant"}[key]
    streams = workload.get("streams", {"": workload}).values()
    found = {each[which] for each in streams if which in each}
    if key == "classes" and found and any(which not in each for each in streams):
        found.add("default")
    return sorted(found)


def handing_over(drawer: Drawer, pools: Keys, slots: dict[str, bool]) -> None:
    """Some pools that prefill for another."""
    one, *others = pools
    for other in others:
        wanted = "KvTransfer" in drawer.wanted_in
        if not (slots[one] or slots[other]) and drawer.chance(0.7 if wanted else 0.4):
            transfer = drawer.value({"$ref": "#/$defs/KvTransfer"}, "Pool", "kv_transfer")
            for name in (one, other):
                for key in ("precision", "kv_precision", "engine", "latency_source", "expert_parallel"):
                    pools[name].pop(key, None)
                pools[name] |= copy.deepcopy(BATCHING) | {"model": "llama-3-8b", "gpu": "h100-sxm"}
            pools[one]["kv_transfer"] = transfer | {"to": other}
            return


def pool(drawer: Drawer, node: Keys, slots: bool) -> Keys:
    """A pool of one kind of replica."""
    found = drawer.model("Pool", node)
    kind = "Slots" if slots else "Batching"
    found["replica"] = drawer.value({"$ref": f"#/$defs/{kind}"}, "Pool", "replica")
    if drawer.faulty and drawer.chance(0.9):
        policies = [each for each in options(node["properties"]["autoscaler"]) if kind_of(each) in ELASTIC]
        found["autoscaler"] = drawer.value(drawer.one_of(policies), "Pool", "autoscaler")
    if not slots and drawer.chance(0.3):  # little memory, long iterations: somebody gives way
        found["kv_capacity_tokens"] = int(drawer.rng.integers(560, 800))
        found["replica"]["max_num_seqs"] = 12
        found["replica"]["max_batched_tokens"] = max(found["replica"]["max_batched_tokens"], 800)
    if "book" in found:
        found.setdefault("gpu", "h100-sxm")
    if slots:
        laws.of_slots(found)
    elif drawer.chance(0.25) or ("latency_source" in found and drawer.wanted):
        for key in ("latency", "kv_capacity_tokens"):
            found.pop(key, None)
        found |= {"model": drawer.one_of(words.MODELS), "gpu": drawer.one_of(words.GPUS), "gpus_per_replica": 4}
    elif not {"model", "gpu"} <= found.keys():
        for key in ("model", "engine", "latency_source", "precision", "kv_precision", "expert_parallel"):
            found.pop(key, None)
        found = copy.deepcopy(BATCHING) | found
    return found


def stream(drawer: Drawer, definitions: Keys, slots: bool) -> Keys:
    """A stream that brings what a pool needs."""
    replayed = drawer.chance(0.12)
    name = "Replayed" if replayed else "Generated"
    found = drawer.model(name, definitions[name])
    if replayed:
        return found
    needed = ("service",) if slots else ("prompt_tokens", "output_tokens")
    for key in needed:
        if key not in found:
            found[key] = drawer.value(definitions[name]["properties"][key], name, key)
    if drawer.faulty and "clients" not in found:
        found["clients"] = drawer.value({"$ref": "#/$defs/Clients"}, name, "clients")
    if drawer.faulty:
        retry = {"kind": "exponential", "attempts": 3, "base": 0.5, "cap": 8.0}
        found["clients"] = {"patience": float(drawer.one_of((0.5, 2, 8)))} | found["clients"]
        found["clients"].setdefault("retry", retry)
    for key, most in (("prompt_tokens", 380.0), ("output_tokens", 160.0)):
        if isinstance(found.get(key), dict) and drawer.chance(0.85):  # so that small memories hold any of them
            found[key]["max"] = most
            found[key].pop("min", None)
    return found


# -- small enough ------------------------------------------------------------------------------------------------------


def fitted(keys: Keys, scenario: Scenario) -> bool:
    """Make the run small, by a shorter horizon or fewer requests of traces; whether anything was changed."""
    if scenario.horizon_s is None:
        return False
    if fewer_users(keys["workload"]):
        return True
    horizon_s = scenario.horizon_s
    expected = scenario.workload.expected_requests(horizon_s)
    if expected > MOST_REQUESTS:
        horizon_s *= MOST_REQUESTS / expected
    least_s = math.inf
    for each in scenario.pools.values():
        said = each.metrics.scrape_s if each.metrics is not None else None
        periods = [each.autoscaler.period_s, each.autoscaler.pipeline.scrape_s if said is None else said]
        periods += [fault.mtbf_s / each.gpus_per_replica for fault in each.faults if fault.kind == "crash"]
        least_s = min([least_s, *(period_s for period_s in periods if period_s > 0)])
    horizon_s = min(horizon_s, MOST_TICKS * least_s)
    if horizon_s >= scenario.horizon_s:
        return False
    keys["horizon"] = float(2.0 ** math.floor(math.log2(horizon_s)))
    if "warmup" in keys and scenario.warmup_s >= keys["horizon"]:
        keys["warmup"] = keys["horizon"] / 4
    return True


def fewer_users(workload: Keys) -> bool:
    """Make closed populations small, all of whom come at once however short a run is; whether any was too large."""
    laws_ = [stream.get("arrivals") for stream in workload.get("streams", {"": workload}).values()]
    large = [law for law in laws_ if isinstance(law, dict) and law.get("users", 0) > MOST_REQUESTS]
    for law in large:
        law["users"] = MOST_REQUESTS
    return bool(large)


def servable(scenario: Scenario) -> None:
    """What a run refuses before it begins: requests that no replica holds, deadlines that nobody meets."""
    demand = scenario.workload.demand(scenario.seed, 0, scenario.horizon_s)
    requests = setup.request_table(scenario, demand)
    specs, _ = setup.pool_specs(scenario)
    setup.check_servable(scenario, specs, requests)
    quotas.check(scenario, demand)
    deadlines.check(scenario, specs, demand, requests)


# -- mended ------------------------------------------------------------------------------------------------------------


def mend(keys: Keys, problems: tuple[Problem, ...], tries: Counter[str]) -> None:
    """Take out what is complained of; the whole branch where that has not helped."""
    for problem in {problem.path: problem for problem in reversed(problems)}.values():
        tries[problem.path] += 1
        steps: list[Any] = problem.path.split(".") if problem.path else []
        steps = where_file(keys, problem.file) or steps
        there = found_at(keys, steps)
        if eased(keys, steps, problem.message):
            continue
        up = max(tries[problem.path] - 1, 0)
        if there == len(steps):
            remove(keys, steps[: max(len(steps) - up, 1)])
        elif there == len(steps) - 1 and steps[-1] in PLAIN and up == 0 and steps[0] in ("pools", "workload"):
            at(keys, steps[:-1])[steps[-1]] = copy.deepcopy(PLAIN[steps[-1]])
        else:
            remove(keys, steps[: max(there - up, 1)])


def found_at(keys: Any, steps: list[Any]) -> int:
    """How far a path leads."""
    for place, step in enumerate(steps):
        if isinstance(keys, dict) and key_of(keys, step) is not None:
            keys = keys[key_of(keys, step)]
        elif isinstance(keys, list) and step.isdigit() and int(step) < len(keys):
            keys = keys[int(step)]
        else:
            return place
    return len(steps)


def eased(keys: Keys, steps: list[Any], message: str) -> bool:
    """Whether a limit is now wide enough, so that what it limits can stay."""
    if message.startswith("needs 'pool'"):
        at(keys, steps)["pool"] = next(iter(keys["pools"]))
        return True
    if "can never be served" in message and steps[0] == "pools":
        of_pool = keys["pools"][steps[1]]
        if 0 < of_pool.get("kv_capacity_tokens", 0) < 20_000:
            of_pool["kv_capacity_tokens"] *= 2
            of_pool["replica"]["max_batched_tokens"] = 4096
            return True
        name = message.partition("of stream '")[2].partition("'")[0]
        long = keys["workload"].get("streams", {}).get(name, keys["workload"])
        short = {key: PLAIN[key] for key in ("prompt_tokens", "output_tokens")}
        if "arrivals" in long and any(long.get(key) != law for key, law in short.items()):
            long |= copy.deepcopy(short)
            return True
        if long.pop("session", None) is not None:  # its turns and tools have lengths of their own
            return True
    if "all would time out" in message and found_at(keys, steps) == len(steps) and at(keys, steps) != 60.0:
        at(keys, steps[:-1])[steps[-1]] = 60.0
        return True
    if "window must hold" in message and "metrics" in keys["pools"][steps[1]]:
        del keys["pools"][steps[1]]["metrics"]
        return True
    return False


def where_file(keys: Any, file: str) -> list[str]:
    """The path of the key that names a data file; empty if none does."""
    for key, value in keys.items() if isinstance(keys, dict) else enumerate(keys) if isinstance(keys, list) else ():
        if file and value == file:
            return [str(key)]
        below = where_file(value, file)
        if below:
            return [str(key), *below]
    return []


def key_of(keys: dict[Any, Any], step: str) -> Any:
    """The key that a step of a path means, numbers included."""
    return next((key for key in keys if str(key) == step), None)


def at(keys: Any, steps: list[Any]) -> Any:
    for step in steps:
        keys = keys[key_of(keys, step)] if isinstance(keys, dict) else keys[int(step)]
    return keys


def remove(keys: Keys, steps: list[Any]) -> None:
    """Take out a branch; what must be there is made plain instead."""
    if not steps:
        return
    if steps[0] == "pools" and len(steps) <= 2:
        names = keys["pools"] if len(steps) == 1 else steps[1:]
        for name in list(names):
            if name in keys["pools"]:
                plain_pool(keys["pools"][name])
        return
    if steps[0] == "pools" and steps[2:] == ["replica"]:
        keys["pools"][steps[1]]["replica"] = {"kind": keys["pools"][steps[1]]["replica"]["kind"]}
        return
    if steps[0] == "workload" and (len(steps) == 1 or (steps[1] == "streams" and len(steps) <= 3)):
        streams = keys["workload"].get("streams", {"": keys["workload"]})
        for name in list(streams) if len(steps) < 3 else steps[2:]:
            plain_stream(streams[name])
        return
    with contextlib.suppress(KeyError, IndexError):
        holder = at(keys, steps[:-1])
        if isinstance(holder, list):
            del holder[int(steps[-1])]
        elif steps[-1] in PLAIN and steps[-1] in holder and holder[steps[-1]] != PLAIN[steps[-1]]:
            holder[steps[-1]] = copy.deepcopy(PLAIN[steps[-1]])
        else:
            del holder[key_of(holder, steps[-1])]


def plain_pool(found: Keys) -> None:
    replica = found.get("replica", {"kind": "batching"})
    found.clear()
    found |= {"replica": {"kind": replica["kind"]}, "autoscaler": copy.deepcopy(PLAIN["autoscaler"])}
    if replica["kind"] == "batching":
        found |= copy.deepcopy(BATCHING)


def plain_stream(found: Keys) -> None:
    home = found.get("pool")
    found.clear()
    found |= {name: copy.deepcopy(PLAIN[name]) for name in ("arrivals", "prompt_tokens", "output_tokens", "service")}
    if home is not None:
        found["pool"] = home
