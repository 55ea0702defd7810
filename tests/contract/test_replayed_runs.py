"""What a policy saw in a run, written down and read again, leads it to the decisions of that run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sim import load, simulate
from sim.autoscaling import Observation
from sim.autoscaling.observation import BUSY_SHARE, KV_USAGE
from sim.autoscaling.replay import decide_at_each
from sim.exchange.observations import from_json, to_json
from sim.fleet.control import Control
from tests.contract.test_policies import each_policy, policy
from tests.elastic import BATCHING

SHARES = (KV_USAGE, BUSY_SHARE)


def scenario(tag: str, keys: dict[str, Any], slots: bool) -> dict[str, Any]:
    """A surge over a pool whose replicas take a while to come and sometimes fail."""
    replica = {"kind": "slots", "concurrency": 2} if slots else {"max_num_seqs": 4, "max_batched_tokens": 512}
    pool = {
        "replica": replica,
        "boot": {"kind": "lognormal", "mean": "40s", "cv": 0.5},
        "faults": [{"kind": "crash", "mtbf": "10m", "repair": "30s"}, {"kind": "crash", "mtbf": "20m"}],
        "autoscaler": {"kind": tag, **keys},
    }
    service = {"service": {"kind": "lognormal", "mean": 5, "cv": 1}}
    tokens = {"prompt_tokens": {"kind": "constant", "value": 300}, "output_tokens": {"kind": "constant", "value": 60}}
    return {
        "name": "replayed",
        "seed": 5,
        "horizon": "15m",
        "workload": {
            "arrivals": {"kind": "spike", "rate": 0.5, "at": "4m", "factor": 5, "duration": "3m"},
            **(service if slots else tokens),
        },
        "pools": {"pool": pool if slots else pool | BATCHING},
    }


@each_policy
@pytest.mark.parametrize("slots", [True, False], ids=["slots", "batching"])
def test_a_run_replayed_from_what_was_seen(
    tag: str, keys: dict[str, Any], slots: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Observation] = []
    observe = Control.observe

    def remember(control: Control) -> Observation:
        seen.append(observe(control))
        return seen[-1]

    monkeypatch.setattr(Control, "observe", remember)
    monkeypatch.setattr("sim.fleet.deployment.PATIENCE_S", 600.0)
    log = simulate(load(scenario(tag, keys, slots))).log
    assert seen
    for observation in seen:
        answers = [*observation.values.items(), *(item for pod in observation.pods for item in pod.values.items())]
        assert all(value >= 0 for _, value in answers)
        shares = [value for query, value in answers if query.metric in SHARES and query.across != "sum"]
        assert all(value <= 1 + 1e-9 for value in shares), observation
    again = [from_json(json.loads(json.dumps(to_json(one)))) for one in seen]
    assert again == seen
    told = [(one.at_s, one.current, one.wanted, one.reason) for one in decide_at_each(policy(tag, keys), again)]
    assert told == [(row.at_s, row.current, row.wanted, row.reason) for row in log.decisions]
