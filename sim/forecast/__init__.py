"""Forecasts of demand from its history: by the hour, by the month, and how well they would have done before.

`read_history` reads a CSV of times and rates, `forecast` tells the next hours or days as p10, p50 and p90,
`forecast_monthly` the next months as factors of the latest weeks, and `back_test` how far such forecasts were off.
"""

from __future__ import annotations

from sim.forecast.backtest import BackTest, back_test
from sim.forecast.demand import Forecast, forecast
from sim.forecast.history import DemandHistory, history_text, read_history
from sim.forecast.monthly import MonthlyForecast, forecast_monthly

__all__ = [
    "BackTest",
    "DemandHistory",
    "Forecast",
    "MonthlyForecast",
    "back_test",
    "forecast",
    "forecast_monthly",
    "history_text",
    "read_history",
]
