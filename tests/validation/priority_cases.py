"""Reference cases of priorities: Cobham's formulas for one server and for several, and services that break off."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.validation.cases import EXPONENTIAL, Law, Vector, case, memory_s, poisson, queue, same
from tests.validation.replications import Case


def by_priority(
    vector: Vector, exact: Mapping[str, float], services: Sequence[Law], means_s: Sequence[float], **where: Any
) -> list[Case]:
    """A stream of each class, the first of which goes first, to one line."""
    rates, servers = vector["params"]["lams"], vector["params"].get("c", 1)
    load = sum(rate * mean_s for rate, mean_s in zip(rates, means_s, strict=True))
    pool = queue(servers, 1, kind="central", order="priority", **where)
    given = {f"mean_service_s_class{number}": mean_s for number, mean_s in enumerate(means_s, 1)}
    # about the time in which the lowest class, which sees all the load, forgets
    memory = memory_s(load, servers, 2.0, max(means_s))
    made = case(vector, exact, pool, poisson(sum(rates)), sum(rates), memory, given=given)
    streams = {
        f"class{number}": {"arrivals": poisson(rate), "service": service, "class": f"class{number}"}
        for number, (rate, service) in enumerate(zip(rates, services, strict=True), 1)
    }
    classes = {name: {"priority": level} for level, name in enumerate(streams)}
    return [replace(made, scenario={**made.scenario, "workload": {"streams": streams}, "classes": classes})]


def by_class(vector: Vector) -> list[str]:
    """The expected values that are those of one class."""
    return [name for name in vector["expected"] if "_class" in name]


def one_server(vector: Vector) -> list[Case]:
    told = vector["params"]["services"]
    laws = [
        {"kind": "constant", "value": law["value"]}
        if law["dist"] == "deterministic"
        else {"kind": "exponential", "mean": law["mean"]}
        for law in told
    ]
    means_s = [law.get("mean", law.get("value")) for law in told]
    exact = same(vector, *by_class(vector), "conservation_sum_rhoW", busy_share="utilization")
    return by_priority(vector, exact, laws, means_s)


def several_servers(vector: Vector) -> list[Case]:
    classes = len(vector["params"]["lams"])
    exact = same(vector, *by_class(vector), "P_wait", Wq="Wq_mean")
    return by_priority(vector, exact, [EXPONENTIAL] * classes, [1.0] * classes)


def preemptive(vector: Vector) -> list[Case]:
    means_s = [1 / rate for rate in vector["params"]["mus"]]
    laws = [{"kind": "exponential", "mean": mean_s} for mean_s in means_s]
    return by_priority(vector, same(vector, *by_class(vector)), laws, means_s, preemptive=True)


BUILDERS: dict[str, Callable[[Vector], list[Case]]] = {
    "mg1_np_prio": one_server,
    "mmc_np_prio": several_servers,
    "mm1_pr_prio": preemptive,
}
