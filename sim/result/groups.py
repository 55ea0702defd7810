"""Some of a run's requests: those of a pool, of a class, of a tenant; and which of them an objective is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sim.pricing.slowness import AnySlowness
    from sim.scenario import Target


class Senders(Protocol):
    """Who sends the requests of a run: what a log knows of it, and a tally before there is a log."""

    @property
    def classes(self) -> tuple[str, ...]: ...

    @property
    def tenants(self) -> tuple[str, ...]: ...

    @property
    def stream_class(self) -> tuple[int, ...]: ...

    @property
    def stream_tenant(self) -> tuple[int, ...]: ...


@dataclass(frozen=True, eq=False)
class Group:
    """Requests of one pool, or of some streams; all of them where neither is given."""

    pool: int | None = None
    streams: NDArray[np.bool_] | None = None
    """By stream: whether its requests count."""

    def mask(self, rows: NDArray[np.void]) -> NDArray[np.bool_] | None:
        """Which rows (requests or attempts) are of the group, shape (n,); None: all of them."""
        if self.pool is not None:
            return np.asarray(rows["pool"] == self.pool)
        return None if self.streams is None else self.streams[rows["stream"]]

    def shares(self, other: Group) -> bool:
        """Whether a request can be of both."""
        if self.streams is None or other.streams is None:
            return True
        return bool((self.streams & other.streams).any())


EVERYBODY = Group()


def of_class(log: Senders, place: int) -> Group:
    return Group(streams=np.array(log.stream_class) == place)


def of_tenant(log: Senders, place: int) -> Group:
    return Group(streams=np.array(log.stream_tenant) == place)


def meant(log: Senders, target: Target | AnySlowness) -> Group:
    """The requests that an objective or a price is about: everybody's, or those of its class, its tenant, of both."""
    name, tenant = limited_to(target)
    found = [of_class(log, log.classes.index(name))] if name is not None else []
    found += [of_tenant(log, log.tenants.index(tenant))] if tenant is not None else []
    streams = [group.streams for group in found if group.streams is not None]
    return Group(streams=np.logical_and.reduce(streams)) if streams else EVERYBODY


def limited_to(target: Target | AnySlowness) -> tuple[str | None, str | None]:
    """The class and the tenant that an objective, or a price, names."""
    return getattr(target, "class_name", None), getattr(target, "tenant", None)
