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
    owners = list(scenario.stream_tenants)
    problems: list[Problem] = []
    for name, tenant in scenario.customers.items():
        if tenant.quota is None or tenant.quota.tokens_per_s is None:
            continue
        own = np.isin(demand.stream, [place for place, owner in enumerate(owners) if owner == name])
        least = int((demand.prompt_tokens + demand.output_tokens)[own].min()) if own.any() else 0
        burst = tenant.quota.tokens_at_once
        if least > burst:
            told = (
                f"is {burst:g} tokens, and the smallest request of tenant '{name}' takes {least:,} with its answer: "
                "all would be rejected; allow more"
            )
            given = "token_burst" if tenant.quota.token_burst is not None else "tokens"
            problems.append(Problem(told, f"tenants.{name}.quota.{given}"))
    if problems:
        raise ConfigError(problems)
