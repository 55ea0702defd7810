"""Each pool's control loop: observe, decide, log, act, wait for the next look."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any

import simpy

from sim.autoscaling import Decision, Observation, Policy
from sim.autoscaling.observation import Pod, Query
from sim.config.errors import ConfigError, Problem
from sim.config.units import shown
from sim.fleet.clock import DECIDE, Clock
from sim.fleet.deployment import Deployment
from sim.fleet.metering import Meter
from sim.model import transitions
from sim.model.tables import State
from sim.result.log import DecisionRow


class Control:
    """The policy of one pool, asked at its times and whenever it wants to hear of something."""

    def __init__(self, clock: Clock, state: State, deployment: Deployment, meter: Meter | None) -> None:
        self.clock = clock
        self.state = state
        self.deployment = deployment
        self.meter = meter
        self.policy: Policy = deployment.pool.autoscaler
        self.decisions: list[DecisionRow] = []
        self._each = any(query.across == "each" for query in self.policy.queries)
        self._process = clock.process(self._ask())

    def hear(self) -> None:
        """Something has happened that the policy wants to decide about at once."""
        if self._process.is_alive and self._process is not self.clock.active_process:
            self._process.interrupt()

    def _ask(self) -> Generator[Any, Any, None]:
        memory: Any = None
        next_s = self.clock.now
        self.deployment.begin(self.policy.initial_replicas)
        while True:
            with contextlib.suppress(simpy.Interrupt):  # asked early
                yield self.clock.at(next_s, DECIDE)
            now_s = self.clock.now
            if now_s > self.deployment.calm_s:
                return
            decision, memory = self._decide(memory)
            self._act(decision)
            next_s = now_s + self.policy.period_s if decision.next_s is None else decision.next_s
            assert next_s > now_s, f"{self.deployment.name}: the policy asks to be asked again in the past ({next_s} s)"
            if next_s == math.inf and self.policy.hears == "nothing":
                return

    def _decide(self, memory: Any) -> tuple[Decision, Any]:
        try:
            return self.policy.decide(self.observe(), memory)
        except ConfigError as error:  # of a policy that is the user's own
            raise ConfigError(replace(each, path=self._place) for each in error.problems) from error

    @property
    def _place(self) -> str:
        return f"pools.{self.deployment.name}.autoscaler"

    def observe(self) -> Observation:
        """The pool as its policy sees it now."""
        alive = self.deployment.alive
        ready = int(self.state.pools[self.deployment.pool_row]["ready"])
        now_s = self.clock.now
        values: Mapping[Query, float] = {}
        pods: tuple[Pod, ...] = ()
        if self.meter is not None:
            values = self.meter.answers(now_s)
            if self._each:
                each = self.meter.each(now_s)
                pods = tuple(Pod(life.number, _PHASES[life.phase], each.get(life.number, {})) for life in alive)
        return Observation(now_s, self.deployment.wanted, ready, len(alive) - ready, values, pods)

    def _act(self, decision: Decision) -> None:
        deployment, now_s = self.deployment, self.clock.now
        most, wanted = self.policy.most_replicas, decision.replicas
        if not 0 <= wanted <= most:
            kind = getattr(self.policy, "kind", type(self.policy).__name__)
            told = f"'{kind}' wants {shown(wanted)} replicas at {now_s:g} s"
            raise ConfigError(Problem(f"{told}, and may want 0 to {most} (its most_replicas)", self._place))
        served_s, _, running_s = map(float, transitions.sample(self.state, deployment.pool_row, now_s)[:3])
        proposed = wanted if decision.proposed is None else decision.proposed
        ready = int(self.state.pools[deployment.pool_row]["ready"])
        self.decisions.append(
            DecisionRow(
                now_s, deployment.name, deployment.wanted, wanted, decision.reason, proposed, ready, served_s, running_s
            )
        )
        if wanted != deployment.wanted:
            deployment.scale(wanted)


_PHASES: dict[str, Any] = {"pending": "pending", "starting": "starting", "ready": "ready", "down": "failed"}
