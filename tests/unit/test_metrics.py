"""Numbers by their names, their unit, and their picture."""

from __future__ import annotations

from typing import Any

import pytest

from sim.config.errors import ConfigError
from sim.report.swept.metric_picture import heat_of, of_metric
from sim.study.swept.metrics import paths_of, teller
from sim.study.swept.sweep import Run

SUMMARY: dict[str, Any] = {
    "latency": {"ttft_s": {"p99": 2.0, "mean": 1.0}, "e2e_s": {"p99": 4.0}},
    "throughput": {"requests_per_s": 3.0, "goodput_per_s": 2.0},
    "cost": {"usd_per_day": 90.0, "usd_per_request": 0.1},
    "slo": [{"metric": "ttft", "under_s": 1.0, "share": 0.9, "attained": 0.8, "met": False}],
    "slowness": {"usd_per_day": 9.0},
    "pools": {"a": {"cost": {"usd_per_day": 50.0}, "utilization": {"busy_share": 0.5}}},
}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("latency.ttft_s.p99", "latency.ttft_s.p99"),
        ("ttft_s.p99", "latency.ttft_s.p99"),
        ("ttft_s_p99", "latency.ttft_s.p99"),
        ("p99 ttft", "latency.ttft_s.p99"),
        ("mean ttft", "latency.ttft_s.mean"),
        ("usd_per_day", "cost.usd_per_day"),  # of the sweep's own names
        ("slowness.usd_per_day", "slowness.usd_per_day"),
        ("usd_per_request", "cost.usd_per_request"),
        ("attained", "slo.0.attained"),
        ("busy_share", "pools.a.utilization.busy_share"),
    ],
)
def test_names(name: str, path: str) -> None:
    assert paths_of([name], SUMMARY) == (path,)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("p99", r"'p99' may be latency.ttft_s.p99 or latency.e2e_s.p99; give more of the path"),
        ("cost.usd_per_dai", r"did you mean 'cost.usd_per_day'\?"),
        ("under_s", "no number is called 'under_s'"),  # it is given, not found
    ],
)
def test_names_of_nothing_or_of_several(name: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        paths_of([name], SUMMARY)


def test_units_are_those_of_the_name() -> None:
    told = {path: teller(path)(0.5) for path in ("latency.ttft_s.p99", "cost.usd_per_day", "slo.0.attained")}
    assert told == {"latency.ttft_s.p99": "500 ms", "cost.usd_per_day": "$0.50", "slo.0.attained": "50.0%"}
    assert teller("throughput.requests_per_s")(0.5) == "0.5"


def ran(value: float | None, half: float = 0.0, **values: str) -> Run:
    intervals = {} if value is None else {"x.y": [value - half, value + half]}
    return Run(values, {"x": {"y": value}, "intervals": intervals})


def test_a_line_a_value_of_the_second_key_and_a_bar_an_interval() -> None:
    runs = [ran(float(a) + b, 0.5, **{"p.a": a, "p.b": str(b)}) for a in ("10", "2", "4") for b in (0, 100)]
    drawn = of_metric("x.y", ["p.a", "p.b"], runs)
    assert [text for line in drawn.plot["data"] for text in line["text"]] == [
        f"b={b}, {a}: {int(a) + b} ({int(a) + b - 0.5:.3g} to {int(a) + b + 0.5:.3g})"
        for b in (0, 100)
        for a in ("2", "4", "10")
    ]
    for line, b in zip(drawn.plot["data"], (0, 100), strict=True):
        assert line["x"] == [2, 4, 10], "to scale"
        assert line["y"] == [2 + b, 4 + b, 10 + b]
        assert line["error_y"]["array"] == line["error_y"]["arrayminus"] == [0.5] * 3
    assert drawn.plot["layout"]["yaxis"]["range"][0] == 0


def test_words_stand_side_by_side_and_what_is_not_there_is_left_out() -> None:
    runs = [ran(1.0, k="fifo"), ran(None, k="edf"), Run({"k": "lifo"}, None, "failed"), ran(-2.0, k="srpt")]
    drawn = of_metric("x.y", ["k"], runs)
    (line,) = drawn.plot["data"]
    assert line["text"] == ["fifo: 1", "srpt: -2"]
    assert line["x"] == [0, 3]
    assert drawn.plot["layout"]["xaxis"]["ticktext"] == ["fifo", "edf", "lifo", "srpt"]
    assert "no point has it" in of_metric("x.z", ["k"], runs).title


def test_a_map_of_two_keys_has_a_cell_a_pair_and_gaps() -> None:
    runs = [ran(float(a) * b, a=a, b=str(b)) for a in ("1", "2", "<4>") if a != "<4>" for b in (10, 20)]
    runs.append(ran(None, a="<4>", b="10"))
    drawn = heat_of("x.y", ["a", "b"], runs)
    assert drawn is not None
    (cells,) = drawn.plot["data"]
    assert cells["z"] == [[10, 20, None], [20, 40, None]]
    assert cells["x"] == ["1", "2", "&lt;4&gt;"]
    assert cells["text"][1] == ["20", "40", "n/a"]
    assert heat_of("x.y", ["a"], runs) is None
