"""Classes and tenants: who they are, and how evenly tenants were served."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sim.result.groups import Group, of_class, of_tenant

if TYPE_CHECKING:
    from sim.result.log import RunLog

Party = tuple[str, str]
"""`classes` or `tenants`, and a name."""


NO_TENANT = "(none)"
"""Stands where a tenant's name does, for requests of nobody's; no tenant can be called so."""


def parties(log: RunLog) -> dict[Party, Group]:
    """The requests of each class and of each tenant of a run; where there are tenants, those of nobody's are a party.

    So each request is of one class, and of one tenant or of nobody: shares add up to the whole.
    """
    found = {("classes", name): of_class(log, place) for place, name in enumerate(log.classes)}
    found |= {("tenants", name): of_tenant(log, place) for place, name in enumerate(log.tenants)}
    if log.tenants and -1 in log.stream_tenant:
        found["tenants", NO_TENANT] = of_tenant(log, -1)
    return found


def fairness(shares: Sequence[float | None]) -> float | None:
    """Jain's index of what tenants got: 1 when all got the same, 1/n when one of n got everything.

    Jain, Chiu, Hawe: A quantitative measure of fairness and discrimination, 1984. None when nobody asked for anything;
    1 when nobody got anything.
    """
    known = [share for share in shares if share is not None]
    if not known:
        return None
    squares = math.fsum(share**2 for share in known)
    return math.fsum(known) ** 2 / (len(known) * squares) if squares > 0 else 1.0
