"""What every line of servers in steady state has in common: its load, and what Little's law makes of its mean wait."""

from __future__ import annotations

from typing import TYPE_CHECKING


class Line:
    """A line whose load is below its capacity; a kind of line says how long requests wait."""

    if TYPE_CHECKING:  # as fields of a kind, or worked out by it

        @property
        def servers(self) -> int: ...
        @property
        def arrivals_per_s(self) -> float: ...
        @property
        def mean_service_s(self) -> float: ...
        @property
        def mean_wait_s(self) -> float: ...

    def __post_init__(self) -> None:
        if not self.load < self.servers:
            there = "one server" if self.servers == 1 else f"{self.servers} servers"
            raise ValueError(f"no steady state: a load of {self.load:g} on {there}")

    @property
    def load(self) -> float:
        """Servers busy on average."""
        return self.arrivals_per_s * self.mean_service_s

    @property
    def utilization_share(self) -> float:
        """Share of the servers that are busy."""
        return self.load / self.servers

    @property
    def mean_sojourn_s(self) -> float:
        """Mean time from arrival to finish."""
        return self.mean_wait_s + self.mean_service_s

    @property
    def mean_waiting(self) -> float:
        """Requests that wait, on average."""
        return self.arrivals_per_s * self.mean_wait_s

    @property
    def mean_in_system(self) -> float:
        """Requests that wait or are served, on average."""
        return self.arrivals_per_s * self.mean_sojourn_s
