"""Users who do not come back after a slow answer, each worth what they would still have paid."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import ConfigDict, Field, model_validator

from sim.config.curves import once_each
from sim.config.said import said
from sim.config.units import Duration, PositiveCount, PositiveShare, Share, Usd
from sim.pricing.scope import PerUserAndDay
from sim.pricing.slowness.base import COMPLETED, Charge, Floats, Measured, Seen, Slowness
from sim.pricing.spans import DAY_S

POWERS = 8
"""Terms of the series of log(1 - p / users), where users are counted afterwards: of ten users on, nine digits."""


class LostUsers(Slowness):
    """Each slow answer makes a share of its users stop for good; each is worth what they would still have paid.

    p(wait) is `share` for waits above `beyond`, or read from `curve`: linear between its points, flat outside. A
    request without an answer counts as slower than any wait. USD = lifetime_usd * lost users, where

    - without a number of users: lost = sum of p over requests;
    - with U users: lost = U * (1 - product over requests of (1 - p / U)). Each request is then of one of U users, all
      as likely, and a user is lost once; so lost is at most U.

    Over a day of windows like this one the product goes on, so a day's loss is below that of the same pace.
    U is `users`, or the requests of the window divided by `requests_per_user_per_day` and by the window's days.
    Who is lost goes on sending in this run: the traffic is the scenario's. How many leave is for you to know; that
    waiting makes people use a service less is measured (Brutlag, "Speed matters for Google web search", 2009: 0.2 to
    0.6 % fewer searches for answers 0.1 to 0.4 s later).
    """

    model_config = ConfigDict(json_schema_extra={"required": ["kind", "metric", "lifetime_usd"]})

    kind: Literal["lost_users"] = "lost_users"
    metric: Measured
    beyond_s: Annotated[
        Duration | None, Field(alias="beyond", description="Answers that take longer than this are slow.")
    ] = None
    share: Annotated[PositiveShare | None, Field(description="Of the users of slow answers, those who stop.")] = None
    curve: Annotated[
        dict[Duration, Share] | None,
        once_each("wait"),
        Field(description="Instead of both: wait, to the share who stop; linear in between, as {2s: 0%, 10s: 5%}."),
    ] = None
    lifetime_usd: Annotated[Usd, Field(description="What a user would still have paid.")]
    users: Annotated[
        PositiveCount | None, Field(description="How many users there are. Left out: no limit to who is lost.")
    ] = None
    requests_per_user_per_day: Annotated[
        PerUserAndDay | None, Field(description="Instead of their number: what each sends.")
    ] = None

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        stepped = [key for key, value in (("beyond", self.beyond_s), ("share", self.share)) if value is not None]
        if self.curve is None and len(stepped) < 2:
            raise said("needs 'beyond' and 'share', such as 10s and 2%, or a 'curve', such as {2s: 0%, 10s: 5%}")
        if self.curve is not None:
            if stepped:
                raise said("says what 'curve' says already; remove one of them", stepped[0])
            self._check_curve(self.curve)
        if self.users is not None and self.requests_per_user_per_day is not None:
            raise said("says what 'users' says already; remove one of them", "requests_per_user_per_day")
        return self

    def _check_curve(self, curve: dict[float, float]) -> None:
        if len(curve) < 2:
            raise said("needs at least two points, such as {2s: 0%, 10s: 5%}", "curve")
        for (wait_s, share), (later_s, later) in pairwise(curve.items()):
            if later_s <= wait_s:
                raise said(f"waits must rise, got {later_s:g} s after {wait_s:g} s", "curve")
            if later < share:
                raise said(f"shares must not fall, got {later:g} after {share:g}", "curve")
        if max(curve.values()) == 0:
            raise said("must rise above 0: nobody would ever stop", "curve")

    def stop_share(self, seen: Seen) -> Floats:
        """The probability that each request's user stops, shape (n,)."""
        if self.curve is None:
            assert self.beyond_s is not None
            assert self.share is not None
            return np.where(seen.slower(self.metric, self.beyond_s), self.share, 0.0)
        waits_s, shares = (np.array(list(part), float) for part in (self.curve.keys(), self.curve.values()))
        found = np.interp(seen.wait_s[self.metric], waits_s, shares)
        return np.asarray(np.where(seen.ended(COMPLETED), found, shares[-1]))

    def users_of(self, requests: int, window_s: float) -> float | None:
        """How many users there are, at least 1; None if that is not said."""
        if self.users is not None or self.requests_per_user_per_day is None:
            return None if self.users is None else float(self.users)
        days = window_s / DAY_S
        return max(1.0, requests / (self.requests_per_user_per_day * days)) if days else 1.0

    def charge(self, seen: Seen) -> Charge:
        """As `charge_of`, where the number of users is known from the start."""
        users = self.users_of(len(seen), seen.window_s)
        return self.charge_of(self._sums(seen, users), len(seen), seen.window_s)

    def sums(self, seen: Seen) -> Floats:
        """Slow requests; sums of the shares who stop, and of their powers; of logarithms of who stays."""
        return self._sums(seen, None if self.users is None else float(self.users))

    def _sums(self, seen: Seen, users: float | None) -> Floats:
        stop = self.stop_share(seen)
        powers, stays = np.full(POWERS, np.nan), 0.0
        powers[0] = stop.sum()
        if users is not None:
            with np.errstate(divide="ignore"):  # log 0 at a single user who surely stops: all are lost
                stays = float(np.log1p(-stop / users).sum())
        elif self.requests_per_user_per_day is not None:
            powers[:] = [(stop**power).sum() for power in range(1, POWERS + 1)]
            stays = np.nan
        return np.array((np.count_nonzero(stop), stays, *powers))

    def charge_of(self, sums: Floats, requests: int, window_s: float) -> Charge:
        """The lost users at their worth: `slow_requests` (with a chance to lose somebody), `users`, `lost_users`."""
        users = self.users_of(requests, window_s)
        usd_per_day = None
        if users is None:
            lost = float(sums[2])
        else:
            stays = float(sums[1])
            if np.isnan(stays):  # parts were seen before it was known how many users there are
                orders = np.arange(1, POWERS + 1)
                stays = -float(np.sum(sums[2:] / (orders * users**orders)))
            lost = float(-users * np.expm1(stays))
            windows = max(DAY_S / window_s, 1.0) if window_s > 0 else 1.0
            if windows > 1:  # a day of them: whoever has stopped cannot stop again
                usd_per_day = self.lifetime_usd * float(-users * np.expm1(stays * windows))
        facts = {"slow_requests": int(sums[0]), "users": users, "lost_users": lost}
        return Charge(self.lifetime_usd * lost, facts, usd_per_day)
