"""What things cost and earn, as files say it: prices of GPUs, contracts, electricity. Models and formulas, no runs."""

from __future__ import annotations

from sim.pricing.price import Price
from sim.pricing.spot import SpotProcess

__all__ = ["Price", "SpotProcess"]
