"""Revenue by the token, as APIs sell them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from sim.config.said import said
from sim.config.units import UsdPerMtok
from sim.pricing.revenue.base import Revenue, Use


class PerToken(Revenue):
    """Prompt and output tokens of completed answers have their price."""

    by_use: ClassVar[bool] = True
    kind: Literal["per_token"]
    prompt_usd_per_million_tokens: Annotated[
        UsdPerMtok, Field(alias="prompt", description="Price of prompt tokens.")
    ] = 0.0
    output_usd_per_million_tokens: Annotated[
        UsdPerMtok, Field(alias="output", description="Price of output tokens.")
    ] = 0.0
    cached_told: Annotated[
        UsdPerMtok | None,
        Field(alias="cached", description="Price of prompt tokens found in the prefix cache. Left out: as `prompt`."),
    ] = None

    @model_validator(mode="after")
    def _has_a_price(self) -> Self:
        if not any(self.prices.values()):
            raise said("needs a price above 0: 'prompt', 'output' or both, such as $0.50/Mtok; or write kind: free")
        return self

    @property
    def cached_usd_per_million_tokens(self) -> float:
        """Price of prompt tokens found in the prefix cache."""
        return self.prompt_usd_per_million_tokens if self.cached_told is None else self.cached_told

    def usd(self, use: Use) -> float:
        """Tokens times prices."""
        cached = min(use.cached_tokens, use.prompt_tokens)
        prompt_usd = (use.prompt_tokens - cached) * self.prompt_usd_per_million_tokens
        cached_usd = cached * self.cached_usd_per_million_tokens
        return (prompt_usd + cached_usd + use.output_tokens * self.output_usd_per_million_tokens) / 1e6

    @property
    def prices(self) -> dict[str, float]:
        """Of a million tokens; the cached ones where they have a price of their own."""
        told = {
            "prompt_usd_per_million_tokens": self.prompt_usd_per_million_tokens,
            "output_usd_per_million_tokens": self.output_usd_per_million_tokens,
        }
        return told if self.cached_told is None else {**told, "cached_usd_per_million_tokens": self.cached_told}
