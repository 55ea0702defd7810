"""Other tools' files: benchmark results read as operating points. One file a format, the union in `formats`."""

from __future__ import annotations

from sim.exchange.formats import FORMATS, format_names, read_benchmark, read_benchmarks
from sim.exchange.given import Given, read_given

__all__ = ["FORMATS", "Given", "format_names", "read_benchmark", "read_benchmarks", "read_given"]
