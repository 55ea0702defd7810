"""Keys that a policy's other settings leave without effect: told, not ignored."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel

from sim.config.said import said


def refuse_unused(policy: BaseModel, fields: Iterable[str], why: str) -> None:
    """Raises a complaint for the first of `fields` that has another value than its default.

    A default is let through even where it was written: a resolved scenario writes out every key.
    """
    for field in fields:
        known = type(policy).model_fields[field]
        if getattr(policy, field) != known.default:
            raise said(f"must be left out: {why}", known.alias or field)
