"""A mix of two GPU types against the best single type: what the MILP says is what the simulator finds."""

from __future__ import annotations

import json

import pytest

from sim.study.purchased.mixed.mix import Mix, mix
from tests.validation.mixes import chat_and_documents, make


def found(scale: float, probe_runs: int, fresh_runs: int, horizon: str = "90s", warmup: str = "30s") -> Mix:
    scenario = chat_and_documents(scale, horizon, warmup)
    makes = [make("a100-80gb"), make("b200")]
    told = mix(scenario, "chat", makes, probe_runs=probe_runs, fresh_runs=fresh_runs)
    assert told is not None
    json.dumps(told.as_document(), allow_nan=False)
    return told


@pytest.mark.slow
def test_a_mix_beats_the_best_single_type_by_what_the_milp_said() -> None:
    """The saving, in points of the cost of the best single type: said by the first proposal and by the last."""
    told = found(2.0, probe_runs=2, fresh_runs=5)
    single = told.best_single
    assert told.meets
    assert single.meets
    assert set(told.replicas) == {"a100-80gb", "b200"}
    assert told.saved_share > 0.05
    assert told.saved_share == pytest.approx(told.promised_share, abs=0.05)
    first = 1 - told.rounds[0].usd_per_hour / single.usd_per_hour
    assert told.saved_share == pytest.approx(first, abs=0.05)
    # long prompts go where prompts are cheap, short ones where decoding is
    assert told.choice[0] == "a100-80gb"
    assert told.choice[-1] == "b200"
