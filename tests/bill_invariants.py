"""I7 with contracts: the bill of a run computed again from the state log, one stretch of time after another.

Plain numbers and loops, by other means than `sim.result.money`: at each instant so many GPUs of each make are paid for,
contracts take their part of them in turn, and what is left is paid at its price.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from typing import Any

import numpy as np

from sim import Scenario
from sim.model.tables import COMPLETED
from sim.pricing.contracts import CapacityBlock, CommittedSpend, Owned, Reserved, SavingsPlan
from sim.result import RunLog
from sim.result.money.billing import Terms, terms
from sim.workload.randomness import named_rng

HOUR_S = 3600.0


def billed_usd(scenario: Scenario, log: RunLog) -> dict[str, float]:
    """USD of the measured window, by pool."""
    start_s, end_s = float(scenario.warmup_s), float(log.edges_s[-1])
    makes = [(name, number, term) for name, pool in scenario.pools.items() for number, term in enumerate(terms(pool))]
    pools = list(scenario.pools)
    lives = _paid(scenario, log, pools)
    cuts = {0.0, start_s, end_s, *(at_s for life in lives for at_s in life[1:3])}
    for contract in scenario.contracts.values():
        cuts |= {contract.begins_s, contract.ends_s}
    if any(term.moves is not None for _, _, term in makes):
        cuts |= {HOUR_S * hour for hour in range(math.ceil(end_s / HOUR_S))}
    times = sorted(at_s for at_s in cuts if 0 <= at_s <= end_s)
    paths = {index: _path(scenario, log.replication, make, end_s) for index, make in enumerate(makes)}
    steps: dict[float, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for index, from_s, to_s, gpus in lives:
        steps[from_s][index] += gpus
        steps[to_s][index] -= gpus
    usd: dict[str, float] = defaultdict(float)
    spent: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    waste: dict[str, float] = defaultdict(float)
    used: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    owned: dict[tuple[str, int], list[tuple[float, float, float]]] = defaultdict(list)
    level = [0.0] * len(makes)
    for from_s, to_s in itertools.pairwise(times):
        for index, step in steps[from_s].items():
            level[index] += step
        is_measured = from_s >= start_s
        hours = (to_s - from_s) / HOUR_S if is_measured else 0.0
        left = [max(gpus, 0.0) if abs(gpus) > 1e-9 else 0.0 for gpus in level]
        for name, contract in _by_turn(scenario):
            if not contract.begins_s <= from_s < contract.ends_s:
                continue
            own = [i for i, (pool, _, term) in enumerate(makes) if contract.covers(pool) and term.market != "spot"]
            if isinstance(contract, SavingsPlan):
                worth = {i: left[i] * paths[i](from_s) * (1 - contract.discount_share) for i in own}
                asked, there, rate = sum(worth.values()), contract.commit_usd_per_h, 1.0
            else:
                price = contract.usd_per_gpu_h(scenario.pools[contract.pools[0] if contract.pools else pools[0]].listed)
                worth = {i: left[i] for i in own}
                asked, there, rate = sum(worth.values()), contract.usable_gpus, float(price)
            part = min(1.0, there / asked) if asked > 0 else 0.0
            for i in own:
                usd[makes[i][0]] += worth[i] * part * rate * hours
                used[name][makes[i][0]] += worth[i] * part * rate * (to_s - from_s)
                if isinstance(contract, Owned) and is_measured:
                    owned[name, i].append((from_s, to_s, left[i] * part))
                left[i] -= left[i] * part
            idle = there - min(asked, there)
            waste[name] += idle * rate * hours
            if isinstance(contract, Owned) and is_measured:
                owned[name, -1].append((from_s, to_s, idle))
        for i, (pool, _, _) in enumerate(makes):
            paid = left[i] * paths[i](from_s) * hours if left[i] else 0.0
            usd[pool] += paid
            for name, contract in scenario.contracts.items():
                holds = contract.begins_s <= from_s < contract.ends_s and contract.covers(pool)
                if holds and isinstance(contract, CommittedSpend):
                    usd[pool] -= contract.discount_share * paid
                    spent[name][pool] += (1 - contract.discount_share) * paid
    # what was paid for nothing is of the pools that the contract was for, as much as each used it in the whole run
    parts = _parts(scenario, used)
    for name, missing in waste.items():
        for pool, part in parts[name].items():
            usd[pool] += missing * part
    for name, contract in scenario.contracts.items():
        if isinstance(contract, CommittedSpend):
            active_h = max(min(contract.ends_s, end_s) - max(contract.begins_s, start_s), 0.0) / HOUR_S
            paid = sum(spent[name].values())
            missing = max(contract.commit_usd / (contract.term_s / HOUR_S) * active_h - paid, 0.0)
            mine = [pool for pool in pools if contract.covers(pool)]
            for pool in mine:
                usd[pool] += missing * (spent[name][pool] / paid if paid else 1 / len(mine))
    for (name, index), stretches in owned.items():
        for pool, part in parts[name].items() if index < 0 else [(makes[index][0], 1.0)]:
            usd[pool] += part * _energy_usd(scenario, log, name, None if index < 0 else pool, stretches)
    for place, (name, pool) in enumerate(scenario.pools.items()):
        if pool.egress is not None:
            rows = log.requests[(log.requests["pool"] == place) & (log.requests["outcome"] == COMPLETED)]
            sent = rows[(rows["finish_s"] >= start_s) & (rows["finish_s"] < end_s)]
            sent_bytes = len(sent) * pool.egress.answer_bytes + sent["output_tokens"].sum() * pool.egress.token_bytes
            usd[name] += float(sent_bytes) / 1e9 * pool.egress.usd_per_gb
    return {name: usd[name] for name in pools}


def _by_turn(scenario: Scenario) -> list[tuple[str, Any]]:
    return [
        (name, contract)
        for kind in (Owned, CapacityBlock, Reserved, SavingsPlan)
        for name, contract in scenario.contracts.items()
        if isinstance(contract, kind)
    ]


def _parts(scenario: Scenario, used: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Whose each contract is where nobody uses it: of its pools, as much as each has used of it in the whole run."""
    found = {}
    for name, contract in scenario.contracts.items():
        mine = [pool for pool in scenario.pools if contract.covers(pool)]
        total = math.fsum(used[name].values())
        found[name] = {pool: used[name][pool] / total if total > 0 else 1 / len(mine) for pool in mine}
    return found


def _paid(scenario: Scenario, log: RunLog, pools: list[str]) -> list[tuple[int, float, float, float]]:
    """(make, paid from, paid to, GPUs) of each life."""
    first, found = {}, []
    count = 0
    for place, pool in enumerate(scenario.pools.values()):
        first[place] = count
        count += len(terms(pool))
    for span in log.spans.tolist():
        life = dict(zip(log.spans.dtype.names, span, strict=True))
        if math.isinf(life["launched_s"]):
            continue
        term = terms(scenario.pools[pools[life["pool"]]])[life["make"]]
        until_s = life["gone_s"]
        if until_s < math.inf:
            paid_s = max(until_s - life["launched_s"], term.minimum_s)
            granule_s = term.granularity_s
            until_s = life["launched_s"] + (math.ceil(paid_s / granule_s - 1e-9) * granule_s if granule_s else paid_s)
        found.append((first[life["pool"]] + life["make"], life["launched_s"], until_s, float(term.gpus_per_replica)))
    return found


def _path(scenario: Scenario, replication: int, make: tuple[str, int, Terms], end_s: float) -> Any:
    """The price of a make at an instant."""
    pool, _, term = make
    if term.moves is None:
        usd = term.usd_per_replica_hour / term.gpus_per_replica
        return lambda at_s: usd
    rng = named_rng(scenario.seed, replication, "spot_price", f"{term.gpu or pool} {term.region}")
    hours = term.moves.hours(rng, max(math.ceil(end_s / HOUR_S), 1)).tolist()
    return lambda at_s: hours[int(at_s // HOUR_S)]


def _energy_usd(
    scenario: Scenario, log: RunLog, name: str, pool: str | None, stretches: list[tuple[float, float, float]]
) -> float:
    """Energy of so many GPUs over stretches of time, bin by bin of the samples and hour by hour."""
    power: Any = scenario.contracts[name]
    place = -1 if pool is None else list(scenario.pools).index(pool)
    rows = log.samples[log.samples["pool"] == place]
    hours_s = [HOUR_S * hour for hour in range(1, int(log.edges_s[-1] // HOUR_S) + 1)]
    edges_s = sorted({0.0, float(log.edges_s[-1]), *log.samples["at_s"].tolist(), *hours_s})
    gpu_s = _overlaps(edges_s, stretches)
    usd = 0.0
    for (from_s, to_s), gpus in zip(itertools.pairwise(edges_s), gpu_s, strict=True):
        if gpus == 0:
            continue
        watts = power.watts.off_w
        if place >= 0:
            ready, busy, running, seats = (
                float(np.diff(np.interp((from_s, to_s), rows["at_s"], rows[column]))[0])
                for column in ("ready_s", "busy_s", "running_s", "seats_s")
            )
            share = busy / ready if ready > 0 else 0.0
            full = min(running / seats / share, 1.0) if seats > 0 and share > 0 else 0.0
            watts = float(power.watts.drawn(np.array([share]), np.array([full]))[0])
        tariff = power.tariff if isinstance(power.tariff, float) else power.tariff[int(from_s // HOUR_S) % 24]
        usd += gpus * watts / 1000 * power.pue / HOUR_S * tariff
    return usd


def _overlaps(edges_s: list[float], stretches: list[tuple[float, float, float]]) -> list[float]:
    """GPU-seconds in each bin; both in order of time."""
    found, first = [], 0
    for from_s, to_s in itertools.pairwise(edges_s):
        while first < len(stretches) and stretches[first][1] <= from_s:
            first += 1
        total, index = 0.0, first
        while index < len(stretches) and stretches[index][0] < to_s:
            begins_s, ends_s, gpus = stretches[index]
            total += gpus * max(min(ends_s, to_s) - max(begins_s, from_s), 0.0)
            index += 1
        found.append(total)
    return found
