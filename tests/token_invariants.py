"""What holds of the model's tables when a run is over: nothing is left in them, and every token belongs to somebody.

Part of `tests.invariants`.
"""

from __future__ import annotations

from collections.abc import Container

import numpy as np

from sim.model.tables import COMPLETED, NONE, UNFINISHED, State


def tokens(state: State, resuming: Container[int] = ()) -> None:
    """I2, I3: at the end nothing is left in the tables but who waits for a replica; every token belongs to somebody.

    `resuming` are the pools whose requests go on elsewhere with what a replica that ended had done for them.
    """
    run, fleet = state.run[0], len(state.pools) + len(state.replicas)
    rows = state.requests[: int(run["rows"])]
    if run["calls"] == 1:  # behind those that arrive by themselves there are some that were never sent
        sent = (state.calls["sent"][: len(rows)] == 1) | (np.arange(len(rows)) < run["arrivals"])
        rows = rows[sent | (rows["outcome"] != UNFINISHED)]  # a copy may be beaten while its client holds it back
    unfinished = int((rows["outcome"] == UNFINISHED).sum())
    places = np.delete(state.queues, slice(int(run["lines0"]), len(state.queues) - 1))  # others say it once more
    held = int(places["length"][fleet:].sum())
    assert run["in_system"] == unfinished - held
    assert run["finished"] + unfinished == run["expected"] == len(rows)
    assert run["next_arrival"] == run["arrivals"] == (len(rows) if run["calls"] == 0 else run["arrivals"])
    assert places["length"].sum() == unfinished
    assert not state.queues["length"][len(state.pools) : fleet].any()
    assert not places["blocks"][len(state.pools) :].any()
    assert unfinished or not (state.queues["blocks"].any() or state.queues["tokens"].any())
    for name in ("seated", "running", "outstanding", "sending", "tokens", "context", "kv", "blocks", "planned"):
        assert not state.replicas[name].any(), f"{name} left at the end"
    senders = np.flatnonzero(state.pools["next_pool"] != NONE)
    moves = {*senders.tolist(), *state.pools["next_pool"][senders].tolist()}
    home = state.pools["home"]
    for row in np.flatnonzero((state.pools["batching"] == 1) & (home == np.arange(len(home)))):
        if row not in moves:
            processed(state, int(row), row in resuming)


def processed(state: State, row: int, resumes: bool) -> None:
    """Tokens of one pool: what its replicas have processed is what its requests are made of, and what was lost."""
    requests = state.requests[: int(state.run[0]["rows"])]
    calls = state.calls[: len(requests)][requests["pool"] == row] if state.run[0]["calls"] == 1 else None
    requests = requests[requests["pool"] == row]
    own = requests[requests["outcome"] == COMPLETED]
    makes = state.pools["home"] == row
    replicas = state.replicas[makes[state.replicas["pool"]]]
    total = {name: int(replicas[name].sum()) for name in ("prefilled", "recomputed", "decoded", "preemptions")}
    kept = int((own["prompt_tokens"].astype(np.int64) + own["done_tokens"] - own["cached_tokens"]).sum())
    # a request that begins again may find more of its prompt in the prefix cache than at first
    lost = bool(requests["lost"].any())
    again = bool((requests["prefix0"] != NONE).any()) and (total["preemptions"] > 0 or lost)
    if calls is not None:
        kept += int(calls["prefilled"].sum())
        again |= total["preemptions"] > 0 or lost
    assert total["prefilled"] == kept + total["recomputed"] or again, f"prefilled {total}, kept {kept}"
    if (state.pools["verified"][makes] > 1).any():
        return
    # who leaves after it was preempted has tokens, and what was prefilled for it was recomputed or lost
    if calls is not None and (calls["prefilled"].any() or requests["done_tokens"][~np.isnan(calls["left_s"])].any()):
        return
    # every prefill that comes to its end gives one token, every decode step one; some of them may be lost
    prefills = int(own["output_tokens"].astype(np.int64).sum()) - total["decoded"]
    more = int(requests["lost"].sum()) if resumes else 0  # who goes on elsewhere is prefilled there, for one more token
    assert prefills <= len(own) + total["preemptions"] + more, f"{prefills} prefills of {len(own)}: {total}"
    assert lost or prefills >= len(own), f"{prefills} prefills of {len(own)}: {total}"
