"""Models that work out values once, and copies of them that do not keep what was worked out of other values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel


class Frozen(BaseModel):
    """A model whose `cached_property` values are those of its own fields, in changed copies as well.

    pydantic copies all that an instance holds, cached values included: a policy whose bounds are changed would go on
    deciding by the old ones once it has been run.
    """

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's; with an `update`, cached values are worked out anew."""
        found = super().model_copy(update=update, deep=deep)
        if update:
            for name in found.__dict__.keys() - type(self).model_fields.keys():
                del found.__dict__[name]
        return found
