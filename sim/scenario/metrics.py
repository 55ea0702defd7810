"""How fresh the metrics are that a pool's autoscaler decides on."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sim.autoscaling.observation import Pipeline
from sim.config.units import Duration, PositiveDuration


class Metrics(BaseModel):
    """The metrics pipeline; what is left out is as in the real system that the policy stands for."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    scrape_s: Annotated[
        PositiveDuration | None, Field(alias="scrape_interval", description="Between two samples of every replica.")
    ] = None
    delay_s: Annotated[
        Duration | None, Field(alias="delay", description="From a sample until the autoscaler can see it.")
    ] = None

    def over(self, pipeline: Pipeline) -> Pipeline:
        """The policy's own pipeline with what is given here in its place."""
        return Pipeline(
            scrape_s=pipeline.scrape_s if self.scrape_s is None else self.scrape_s,
            delay_s=pipeline.delay_s if self.delay_s is None else self.delay_s,
        )
