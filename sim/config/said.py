"""Complaints in our own words, raised inside pydantic validators; `sim.config.complaints` shows them as they stand."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_core import PydanticCustomError

Problems = list[tuple[tuple[str | int, ...], str]]
"""Complaints, each with the keys below the validated mapping that it is about."""


def said(message: str, *at: str | int) -> PydanticCustomError:
    """One complaint. `at` names the key below the validated mapping that is meant: `said("must sum to 1", "p")`."""
    return PydanticCustomError("said", "{text}", {"text": message, "at": at})


def said_all(complaints: Sequence[tuple[tuple[str | int, ...], str]]) -> PydanticCustomError:
    """Several complaints at once, each with the keys below the validated mapping that it is about."""
    text = "; ".join(f"{'.'.join(map(str, at))}: {message}" if at else message for at, message in complaints)
    return PydanticCustomError("said", "{text}", {"text": text, "many": tuple(complaints)})
