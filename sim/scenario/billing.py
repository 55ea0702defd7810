"""How a provider counts the time that a replica is paid for."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from sim.config.units import Duration


class Billing(BaseModel):
    """A replica is paid from launch to termination, in whole steps, and for a least time."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    granularity_s: Annotated[
        Duration, Field(alias="granularity", description="Paid time is rounded up to this; 0: not rounded.")
    ] = 1.0
    minimum_s: Annotated[Duration, Field(alias="minimum", description="The least that a launch costs.")] = 0.0

    def billed_s(self, paid_s: NDArray[Any]) -> NDArray[np.float64]:
        """Seconds billed for replicas paid this long; any shape. One that was never launched (0 s) costs nothing."""
        billed = np.asarray(paid_s, float)
        if self.granularity_s > 0:
            steps = billed / self.granularity_s
            # 3 s that came out as 3.0000000000000004 are 3 s
            whole = np.where(np.isclose(steps, np.round(steps), rtol=1e-12, atol=1e-9), np.round(steps), np.ceil(steps))
            billed = whole * self.granularity_s
        return np.where(np.asarray(paid_s) > 0, np.maximum(billed, self.minimum_s), 0.0)
