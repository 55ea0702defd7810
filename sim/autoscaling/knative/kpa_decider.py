"""What Knative's autoscaler wants at a tick: stable and panic mode, rates, the scale-down delay, excess burst capacity.

Pure arithmetic on revision totals; windows are in `kpa_window`, bounds and the way to zero in `knative`.
Source: pkg/autoscaler/scaling/autoscaler.go and pkg/autoscaler/aggregation/max, knative/serving@98e5ef90.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Spec:
    """What the decider is told about a revision."""

    target: float
    """Concurrency (or requests per second) that a replica should have."""
    total: float
    """What a replica can take: the target before utilization."""
    target_burst_capacity: float
    panic_threshold: float
    """Panic when the panic window wants at least this many times the ready replicas."""
    max_scale_up_rate: float
    max_scale_down_rate: float
    stable_window_s: float
    scale_down_delay_s: float = 0.0
    activation_scale: int = 0
    reachable: bool = True
    """Whether traffic can reach the revision; one that it cannot is scaled down without limits."""
    tick_s: float = 2.0


class State(NamedTuple):
    """What the decider remembers between ticks."""

    panic_s: float | None
    """When the threshold was last passed; None: not in panic."""
    most_in_panic: int
    delayed: tuple[tuple[int, int], ...]
    """Wishes of the scale-down delay that may still be its largest: (tick, replicas), replicas falling."""


class Wish(NamedTuple):
    """What the load asks for, before bounds and scale to zero."""

    replicas: int
    stable: int
    """What the stable window alone asks for, before rates."""
    panic: int
    """What the panic window alone asks for, before rates."""
    least: int
    """What the rate allows."""
    most: int
    panicking: bool
    excess_burst: int
    """Capacity left above a burst; negative puts the activator in the path of requests."""

    @property
    def proposed(self) -> int:
        """What load alone asks for in the mode that holds."""
        return max(self.stable, self.panic) if self.panicking else self.stable


def begun(at_s: float, ready: int) -> State:
    """The state of a new decider: with more than one ready replica it starts in panic, to hold them while it learns."""
    return State(at_s if ready > 1 else None, ready, ())


def wish(spec: Spec, state: State, at_s: float, ready: int, stable: float, panic: float) -> tuple[Wish, State]:
    """The wish at a tick, from the averages of the two windows (totals of the revision), and the state after it."""
    pods = max(1, ready)
    most = math.ceil(spec.max_scale_up_rate * pods)
    least = math.floor(pods / spec.max_scale_down_rate) if spec.reachable else 0
    stable_pods, panic_pods = math.ceil(stable / spec.target), math.ceil(panic / spec.target)
    over = panic_pods / pods >= spec.panic_threshold
    panic_s, most_in_panic = state.panic_s, state.most_in_panic
    if over:
        panic_s = at_s
    elif panic_s is not None and panic_s + spec.stable_window_s < at_s:
        panic_s, most_in_panic = None, 0
    wanted = _in_rates(spec, stable_pods, least, most)
    if panic_s is not None:
        most_in_panic = max(most_in_panic, wanted, _in_rates(spec, panic_pods, least, most))
        wanted = most_in_panic
    delayed = state.delayed
    if spec.scale_down_delay_s:
        delayed = _delayed(spec, delayed, at_s, wanted)
        wanted = delayed[0][1] if spec.reachable else wanted
    excess = _excess(spec, ready, panic)
    found = Wish(wanted, stable_pods, panic_pods, least, most, panic_s is not None, excess)
    return found, State(panic_s, most_in_panic, delayed)


def _in_rates(spec: Spec, pods: int, least: int, most: int) -> int:
    """Within what the rates allow; at least the activation scale if there is any load."""
    wanted = min(max(pods, least), most)
    return max(wanted, spec.activation_scale) if spec.activation_scale > 1 and pods > 0 else wanted


def _delayed(spec: Spec, delayed: tuple[tuple[int, int], ...], at_s: float, wanted: int) -> tuple[tuple[int, int], ...]:
    """The wishes within the delay that may still be the largest, the largest first."""
    tick = math.floor(at_s / spec.tick_s)
    ticks = math.ceil(spec.scale_down_delay_s / spec.tick_s)
    kept = [(at, pods) for at, pods in delayed if tick - at < ticks and pods > wanted]
    if kept and kept[-1][0] == tick:
        return tuple(kept)  # two wishes in one tick: the larger stands
    return (*kept, (tick, wanted))


def _excess(spec: Spec, ready: int, panic: float) -> int:
    """Capacity of the ready replicas above the panic load and the burst to be ready for."""
    if spec.target_burst_capacity <= 0:
        return 0 if spec.target_burst_capacity == 0 else -1
    return math.floor(ready * spec.total - spec.target_burst_capacity - panic)
