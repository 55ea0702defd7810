"""A model k times as heavy: the least fleets for it, and who leaves without them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.shipped import told

NAME = "chatgpt-next-model"


def fleet(k: int, replicas: int) -> dict[str, Any]:
    return told(NAME, f"workload.service.output={45 * k}ms", f"pools.chatgpt.autoscaler.replicas={replicas}")


@pytest.mark.parametrize(("k", "least"), [(1, 34), (2, 67), (4, 134), (8, 266)])
def test_one_replica_less_breaks_the_promise(k: int, least: int) -> None:
    assert fleet(k, least)["slo"][0]["met"]
    assert not fleet(k, least - 1)["slo"][0]["met"]


def test_on_the_fleet_of_the_day_people_leave() -> None:
    """34 replicas make 34 / 5.4 s = 6.3 replies a second, of 12.86 that are asked for; at night not all are needed."""
    summary = told(NAME)
    requests = summary["requests"]
    assert requests["completed"] < 86_400 * 34 / 5.4
    assert requests["abandoned"] / requests["arrived"] > 1 - 34 / 5.4 / 12.86
    assert summary["slo"][0]["attained"] < 0.1
    assert fleet(1, 34)["requests"]["abandoned"] < 10
