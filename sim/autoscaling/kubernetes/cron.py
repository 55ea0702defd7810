"""A window of the calendar between two cron expressions, as KEDA's cron trigger opens it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sim.config.said import said
from sim.config.units import PositiveCount, shown

_FIELDS = re.compile(r"([0-9A-Za-z*,/?-]+\s+){4}[0-9A-Za-z*,/?-]+")


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, not a name at all, a folder
        raise said(f"must be a time zone of the IANA database, such as Europe/Paris; got {shown(name)}") from None
    return name


def _expression(text: str) -> str:
    from croniter import CroniterError, croniter

    if _FIELDS.fullmatch(text.strip()) is None:
        raise said(f"must be minute, hour, day, month and day of the week, such as '0 6 * * 1-5'; got {shown(text)}")
    try:
        croniter(text, datetime(2024, 1, 1)).get_next(datetime)
    except CroniterError as error:
        raise said(f"must be a cron expression that comes to pass; got {shown(text)} ({error})") from None
    return text


Expression = Annotated[str, AfterValidator(_expression)]


class Cron(BaseModel):
    """So many replicas from the time of one cron expression to that of another."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timezone: Annotated[str, AfterValidator(_zone), Field(description="Of the IANA database.")] = "UTC"
    start: Annotated[Expression, Field(description="When it begins: minute, hour, day, month, day of the week.")]
    end: Annotated[Expression, Field(description="When it ends.")]
    desired_replicas: Annotated[PositiveCount, Field(description="Wanted while it lasts.")]

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.start.split() == self.end.split():
            raise said(f"must differ from start, got {shown(self.end)}", "end")
        return self

    def window(self, now: datetime) -> tuple[bool, datetime]:
        """Whether it lasts at a time (with a zone), and the first later time at which that may change.

        It lasts when the next end comes before the next start (kedacore/keda pkg/scalers/cron_scaler.go).
        """
        from croniter import croniter

        local = now.astimezone(ZoneInfo(self.timezone))
        start: datetime = croniter(self.start, local).get_next(datetime)
        end: datetime = croniter(self.end, local).get_next(datetime)
        return end < start, min(start, end)
