"""Names that users give to streams, classes and tenants: one step of a dotted path, so they hold no dot."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from sim.config.said import said
from sim.config.units import shown

__all__ = ["ClassName", "StreamName", "TenantName"]


def _a(what: str) -> AfterValidator:
    """Refuses what cannot name one."""

    def name(text: str) -> str:
        if not re.fullmatch(r"[\w-]{1,60}", text):
            told = "may hold letters, digits, '_' and '-' (at most 60 characters)"
            raise said(f"a {what}'s name {told}; got {shown(text)}")
        return text

    return AfterValidator(name)


StreamName = Annotated[str, _a("stream")]
ClassName = Annotated[str, _a("class")]
TenantName = Annotated[str, _a("tenant")]
