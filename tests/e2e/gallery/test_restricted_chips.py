"""More weak GPUs do not read a long prompt faster; more of them a replica do."""

from __future__ import annotations

from typing import Any

from tests.shipped import told

NAME = "restricted-chips"
H100 = "pools.qwen.gpu=h100-sxm"


def _fleet(replicas: int, gpus: int, *sets: str) -> dict[str, Any]:
    at = (f"pools.qwen.autoscaler.replicas={replicas}", f"pools.qwen.gpus_per_replica={gpus}")
    return told(NAME, *at, *sets)


def _met(run: dict[str, Any]) -> list[bool]:
    return [target["met"] for target in run["slo"]]


def test_the_least_fleets_of_either_chip() -> None:
    """8 H100s do and 6 do not; 40 H20s in eights do and 32 do not."""
    assert all(_met(_fleet(4, 2, H100)))
    assert not all(_met(_fleet(3, 2, H100)))
    assert all(_met(_fleet(5, 8)))
    assert not all(_met(_fleet(4, 8)))


def test_replicas_do_not_help_long_prompts() -> None:
    """Two and a half times the fleet mends chat and not documents."""
    assert _met(told(NAME)) == [False, False, False]
    assert _met(_fleet(40, 2)) == [True, False, True]


def test_chat_alone_takes_less_than_four_times_as_many() -> None:
    """22 H20s against 6 H100s; one replica less of either is too few."""
    chat = (
        "horizon=15m",
        "workload.streams.documents.arrivals.rate=0.02/s",
        "workload.streams.chat.arrivals.rate=40/s",
    )
    met = [
        (_met(_fleet(replicas, 2, *chat, *sets))[0], _met(_fleet(replicas, 2, *chat, *sets))[2])
        for replicas, sets in ((3, (H100,)), (2, (H100,)), (11, ()), (10, ()))
    ]
    assert [all(both) for both in met] == [True, False, True, False]
