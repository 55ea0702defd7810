"""How fast and how small demand is drawn: a day of `chatgpt-2023` traffic, 11.1 million requests (`make bench`)."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.bench

# In a process of its own, so that its peak memory is the demand's and not the test suite's.
PROGRAM = """
import json, resource, time
from pydantic import TypeAdapter
from sim.workload import AnyWorkload

workload = TypeAdapter(AnyWorkload).validate_python(
    {
        "arrivals": {"kind": "diurnal", "rate": "128.6/s", "peak": 1.86, "trough": 0.30},
        "output_tokens": {"kind": "lognormal", "mean": 30, "cv": 1},
        "service": {"kind": "per_token", "output": "45ms"},
    }
)
start = time.perf_counter()
demand = workload.demand(1, 0, 86_400.0)
wall_s = time.perf_counter() - start
peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"requests": len(demand), "wall_s": wall_s, "peak_gb": peak_kb / 1e6}))
"""


def test_a_day_of_chatgpt_traffic_is_drawn_in_seconds_and_under_a_gigabyte() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout)
    print(f"\n{seen['requests']:,} requests drawn in {seen['wall_s']:.2f} s, peak {seen['peak_gb']:.2f} GB")
    assert seen["requests"] == pytest.approx(11.11e6, rel=0.01)
    assert seen["wall_s"] < 4
    assert seen["peak_gb"] < 1
