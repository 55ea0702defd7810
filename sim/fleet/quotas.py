"""Quotas that let nothing through: a tenant whose every request is larger than its bucket is a mistake."""

from __future__ import annotations

import numpy as np

from sim.config.errors import ConfigError, Problem
from sim.scenario import Scenario
from sim.workload.demand import Demand


def check(scenario: Scenario, demand: Demand) -> None:
    """Refuse token quotas whose bucket never holds what the smallest request of the tenant takes.

    Raises ConfigError with all of them. That single requests are too large is the user's business: they are rejected.
    """
    smallest = Smallest(scenario)
    smallest.see(demand)
    smallest.refuse()


class Smallest:
    """The smallest request of each tenant with a quota of tokens, of demand that may come in parts."""

    def __init__(self, scenario: Scenario) -> None:
        self.quotas = {
            name: tenant.quota
            for name, tenant in scenario.customers.items()
            if tenant.quota is not None and tenant.quota.tokens_per_s is not None
        }
        owners = scenario.stream_tenants
        self.streams = {name: [at for at, owner in enumerate(owners) if owner == name] for name in self.quotas}
        self.tokens: dict[str, int] = {}

    def see(self, demand: Demand) -> None:
        """These requests come, too."""
        for name, streams in self.streams.items():
            own = np.isin(demand.stream, streams)
            if own.any():
                least = int((demand.prompt_tokens + demand.output_tokens)[own].min())
                self.tokens[name] = min(self.tokens.get(name, least), least)

    def refuse(self) -> None:
        """All requests have been seen: raise ConfigError for every tenant none of whose requests can ever pass."""
        problems: list[Problem] = []
        for name, quota in self.quotas.items():
            least, burst = self.tokens.get(name, 0), quota.tokens_at_once
            if least > burst:
                told = (
                    f"is {burst:g} tokens, and the smallest request of tenant '{name}' takes {least:,} with its "
                    "answer: all would be rejected; allow more"
                )
                given = "token_burst" if quota.token_burst is not None else "tokens"
                problems.append(Problem(told, f"tenants.{name}.quota.{given}"))
        if problems:
            raise ConfigError(problems)
