"""The control plane of a run: a deployment, a control loop and a meter for each pool, and what they hear of at once."""

from __future__ import annotations

from collections.abc import Generator
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.autoscaling.observation import WORK_AHEAD
from sim.fleet.clock import LIFE, NOTICE, Clock
from sim.fleet.control import Control
from sim.fleet.deployment import Deployment
from sim.fleet.metering import Meter
from sim.fleet.setup import Makes
from sim.fleet.work import Work
from sim.model.specs import PoolSpec
from sim.model.tables import State
from sim.model.work import work_law
from sim.result.log import DOWN, DecisionRow
from sim.scenario import Scenario
from sim.scenario.rollout import Rollout


class Fleet:
    """Everything that is slow, the same in both calendars."""

    def __init__(
        self,
        clock: Clock,
        state: State,
        scenario: Scenario,
        specs: list[PoolSpec],
        makes: list[Makes],
        replication: int,
        ends_s: float,
    ) -> None:
        self.clock = clock
        self.state = state
        firsts = accumulate((len(spec.makes) for spec in specs), initial=len(specs))
        key = (scenario.seed, replication)
        self.deployments = [
            Deployment(clock, state, named, makes[row], makes[row].rows(row, first), key, ends_s)
            for row, (first, named) in enumerate(zip(firsts, scenario.pools.items(), strict=False))
        ]
        self.controls = [
            Control(clock, state, deployment, self._meter(deployment, specs, ends_s)) for deployment in self.deployments
        ]
        for deployment, control in zip(self.deployments, self.controls, strict=True):
            if control.policy.hears == "changes":
                deployment.on_ready = control.hear
        for deployment in self.deployments:
            for rollout in deployment.pool.rollouts:
                clock.process(self._roll_out(deployment, rollout))

    def close(self) -> None:
        """Let go of the run's tables.

        Replicas and their pools refer to one another, so without this the tables would stay in memory until Python
        next looks for circles, which after a large run may be many runs later.
        """
        for control in self.controls:
            for part in (control.meter, control.deployment, control):
                if part is not None:
                    vars(part).clear()

    def notice(self) -> None:
        """The data plane has noted something: look at it at its own time."""
        run = self.state.run[0]
        run["noticed"] = 0
        alarm = self.clock.at(float(run["noticed_s"]), NOTICE)
        assert alarm.callbacks is not None
        alarm.callbacks.append(self._look)

    def _look(self, _: Any) -> None:
        for deployment, control in zip(self.deployments, self.controls, strict=True):
            deployment.emptied()
            pool = self.state.pools[deployment.pool_row]
            if pool["told"] == 1:
                pool["told"] = 0
                control.hear()

    def _roll_out(self, deployment: Deployment, rollout: Rollout) -> Generator[Any, Any, None]:
        yield self.clock.at(rollout.at_s, LIFE)
        deployment.roll_out(rollout)

    def _meter(self, deployment: Deployment, specs: list[PoolSpec], ends_s: float) -> Meter | None:
        queries = deployment.pool.autoscaler.queries
        if not queries:
            return None
        work = None
        if any(query.metric == WORK_AHEAD for query in queries):
            requests = self.state.requests
            law = work_law(specs, deployment.pool_row, requests)
            work = Work(requests["arrival_s"].copy(), law.work_s(requests), ends_s)
        return Meter(self.clock, self.state, deployment, queries, work)

    def spans(self) -> NDArray[Any]:
        """Rows of `SPAN`, pool by pool."""
        return np.concatenate([deployment.spans() for deployment in self.deployments])

    def downs(self) -> NDArray[Any]:
        """Rows of `DOWN`, pool by pool."""
        firsts = accumulate((len(deployment.lives) for deployment in self.deployments), initial=0)
        parts = [deployment.downs(first) for first, deployment in zip(firsts, self.deployments, strict=False)]
        return np.concatenate([np.zeros(0, DOWN), *parts])

    def decisions(self) -> tuple[DecisionRow, ...]:
        """Every decision, pool by pool."""
        return tuple(decision for control in self.controls for decision in control.decisions)
