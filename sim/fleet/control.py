"""Each pool's control loop: observe, decide, log, act, wait for the next tick."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.autoscaling import Observation, Policy
from sim.fleet.clock import Clock
from sim.model import transitions
from sim.model.tables import State
from sim.result.log import SPAN, DecisionRow, new_spans


class Control:
    """The replicas of one pool and the policy that says how many there should be."""

    def __init__(self, clock: Clock, state: State, row: int, name: str, policy: Policy) -> None:
        self.clock = clock
        self.state = state
        self.row = row
        self.name = name
        self.policy = policy
        self.decisions: list[DecisionRow] = []
        self.spans = np.zeros(0, SPAN)
        self.process = clock.process(self._tick())

    def _tick(self) -> Generator[Any, Any, None]:
        memory: Any = None
        yield self.clock.at(self.clock.now)
        while True:
            decision, memory = self.policy.decide(self.observe(), memory)
            current = len(self.spans)
            self.decisions.append(DecisionRow(self.clock.now, self.name, current, decision.replicas, decision.reason))
            self._scale_to(decision.replicas)
            if self.policy.period_s == math.inf:
                return
            yield self.clock.at(self.clock.now + self.policy.period_s)
            if self.state.run["finished"][0] == self.state.run["arrivals"][0]:
                return  # nothing is left to decide about, and a tick that never ends would keep the run from ending

    def observe(self) -> Observation:
        """The pool as its policy sees it now."""
        ready = int(self.state.pools[self.row]["ready"])
        return Observation(at_s=self.clock.now, current=len(self.spans), ready=ready)

    def _scale_to(self, wanted: int) -> None:
        """Open replicas until there are `wanted`, ready at once."""
        pool = self.state.pools[self.row]
        assert wanted <= pool["replicas"], f"{self.name}: {wanted} replicas wanted, room for {pool['replicas']}"
        opened = range(len(self.spans), wanted)
        for index in opened:
            transitions.open_replica(self.state, int(pool["replica0"]) + index, self.clock.now)
        self.spans = np.concatenate([self.spans, self._new_spans(opened)])

    def _new_spans(self, opened: range) -> NDArray[Any]:
        spans = new_spans(len(opened), self.clock.now)
        spans["pool"] = self.row
        spans["replica"] = opened
        for name in ("launched_s", "image_s", "weights_s", "engine_s", "ready_s"):
            spans[name] = self.clock.now
        return spans
