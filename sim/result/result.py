"""One finished run, with every number derived from its log on demand."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.result.summary import summarize
from sim.result.timeline import Columns, timeline_columns
from sim.result.together import Together
from sim.result.verdict import verdict

if TYPE_CHECKING:
    import pandas as pd

    from sim.result.log import RunLog
    from sim.scenario import Scenario


@dataclass(frozen=True, eq=False)
class Result:
    """What a run of a scenario came to. Holds the scenario and the log; everything else is computed from them."""

    scenario: Scenario
    log: RunLog
    regret: Mapping[str, Any] | None = None
    """Blocks that a study has added to the summary: of `all` elastic pools, and of each below `pools`."""
    together: Together | None = None
    """What several runs say together, of which this is the first; its summary then stands in place of this run's."""

    def __repr__(self) -> str:
        return f"Result({self.scenario.name!r}, {self.log.count} requests, {self.log.calendar})"

    def summary(self, *, theory: bool = True) -> dict[str, Any]:
        """All numbers as one JSON-ready document; units are in the keys, None stands where there is no data.

        With several replications: their estimates, `intervals` (95 %) by dotted path, and `refused` quantiles.
        `theory`: with the block of that name, what queueing theory says beside it (see `sim.result.twin`).
        """
        found = copy.deepcopy(self._summary)
        if theory and "theory" not in found:
            found["theory"] = copy.deepcopy(self._theory)
        return found

    def verdict(self) -> str:
        """The result in one or two plain sentences."""
        return verdict(self._summary, self.columns)

    @property
    def requests(self) -> pd.DataFrame:
        """One row an attempt at a request, in arrival order, warm-up included (a new frame at every call).

        Columns: request, stream, arrival_s, prompt_tokens, output_tokens, pool, replica, start_s, first_token_s,
        finish_s, outcome, cached_tokens; class and tenant where there are any; where clients do more than wait
        attempt, copy and first_request, with sessions session and turn. Times in seconds from the run's start, NaN for
        what never happened.
        """
        from sim.result.frames import requests_frame

        return requests_frame(self.log)

    @property
    def timeline(self) -> pd.DataFrame:
        """One row a time bin: start_s, end_s, arrivals, offered, completed, waiting, running, replicas, booting,
        draining, down, busy_share, batch_share, kv_share, ttft_s_p50, ttft_s_p99, usd_per_hour (averages over the bin;
        TTFT of the requests that arrive in it). `arrivals` are attempts, `offered` first attempts, `completed` answers
        in time.
        """
        from sim.result.frames import timeline_frame

        return timeline_frame(self.columns)

    @property
    def decisions(self) -> pd.DataFrame:
        """One row a decision of an autoscaler: at_s, pool, current, wanted, reason."""
        from sim.result.frames import decisions_frame

        return decisions_frame(self.log)

    def pool_timeline(self, pool: str) -> Columns:
        """The timeline of one pool, as plain columns. KeyError for a pool that the scenario does not have."""
        if pool not in self.log.pools:
            raise KeyError(f"no pool {pool!r}; there are {', '.join(self.log.pools)}")
        return timeline_columns(self.scenario, self.log, self.log.pools.index(pool))

    def save(
        self,
        folder: str | Path | None = None,
        *,
        requests: bool | Path | None = None,
        force: bool = False,
        report: Callable[[Result], str] | None = None,
        command: Sequence[str] = (),
    ) -> Path:
        """Write the run's folder, whole or not at all, and return where it is.

        `folder` defaults to `outputs/<name>-<digest>` below the current directory, which a new run of the same scenario
        replaces; another folder must not exist yet, unless `force`. `requests`: write `requests.parquet`; by default up
        to two million requests; a path: that of a file that has them already, which moves into the folder (see
        `sim.result.rows_draft`). `report`: what makes `report.html`, as `sim.report.render`. `command`: what was typed,
        for the manifest. Raises ConfigError for a folder that cannot be used, OSError when the disk is full.
        """
        from sim.result.save import save

        return save(self, folder, requests=requests, force=force, report=report, command=command)

    @cached_property
    def _summary(self) -> dict[str, Any]:
        if self.together is not None:
            return self.together.summary
        summary = summarize(self.scenario, self.log)
        if self.regret is not None:
            summary["regret"] = self.regret["all"]
            for name, block in self.regret["pools"].items():
                summary["pools"][name]["regret"] = block
        return summary

    @cached_property
    def _theory(self) -> list[dict[str, Any]]:
        from sim.result.twin import theory_block

        return theory_block(self.scenario, self._summary, self.columns)

    @cached_property
    def columns(self) -> Columns:
        """The timeline as plain columns, column name -> shape (bins,); what `timeline` makes a frame of."""
        return timeline_columns(self.scenario, self.log)
