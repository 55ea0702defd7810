"""Tables of a file that map one quantity to another, as `{50%: 100, 99%: 600}`: no key may stand there twice."""

from __future__ import annotations

from typing import Any

from pydantic import ValidatorFunctionWrapHandler, WrapValidator

from sim.config.said import said


def once_each(noun: str) -> WrapValidator:
    """Refuses a table that names the same quantity twice in different spellings (`50%` and `0.5`).

    The loader only sees that two keys are spelt alike; once they are numbers, the later would silently win.
    """

    def checked(raw: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        table = handler(raw)
        if isinstance(raw, dict) and table is not None and len(table) != len(raw):
            raise said(f"names the same {noun} twice")
        return table

    return WrapValidator(checked)
