"""The report of a run: one HTML file that works offline, and the tables that it shares with the terminal."""

from __future__ import annotations

from sim.report.run.page import render

__all__ = ["render"]
