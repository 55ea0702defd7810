"""Conversations become rows that follow one another: turns, histories, the blocks they share, calls of tools."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from sim import load
from sim.config.errors import ConfigError
from sim.fleet import callers, setup
from sim.workload import Demand
from sim.workload.histories import histories
from tests.laws import TOKENS, chat, complaint, prefix_lists, workload
from tests.unit.test_streams import COLUMNS

COUNTS = {"kind": "uniform", "low": 0.6, "high": 4.4}
TOOLS = {"calls": {"kind": "uniform", "low": 0, "high": 3}, "prompt_tokens": TOKENS, "output_tokens": TOKENS}
LENGTHS = {"kind": "uniform", "low": 1, "high": 300}


def talk(**keys: Any) -> dict[str, Any]:
    return chat(prompt_tokens=LENGTHS, output_tokens=LENGTHS, session={"turns": COUNTS, "think": "10s", **keys})


def chains(demand: Demand) -> list[list[int]]:
    """The rows of the turns of each conversation, in order; every link is followed, and checked."""
    links = demand.links
    assert links is not None
    found = []
    for row in np.flatnonzero((links.waits == 0) & (links.session >= 0)).tolist():
        chain = [row]
        while links.thens[chain[-1]]:
            after = np.arange(links.then[chain[-1]], links.then[chain[-1]] + links.thens[chain[-1]])
            if links.waits[after[0]] == 1 and links.turn[after[0]] == links.turn[chain[-1]]:  # calls of tools
                joins = np.unique(links.then[after])
                assert len(joins) == 1
                assert (links.thens[after] == 1).all()
                assert (links.turn[after] == links.turn[chain[-1]]).all()
                assert links.waits[joins[0]] == len(after)
                after = joins
            assert len(after) == 1
            chain.append(int(after[0]))
        assert links.turn[chain].tolist() == list(range(len(chain)))
        assert (links.session[chain] == links.session[row]).all()
        found.append(chain)
    return found


def test_first_turns_are_those_of_the_stream_without_sessions() -> None:
    plain = workload(**chat(prompt_tokens=LENGTHS, output_tokens=LENGTHS)).demand(1, 0, 60.0)
    demand = workload(**talk(tools=TOOLS)).demand(1, 0, 60.0)
    for name in COLUMNS:
        assert getattr(demand, name)[: len(plain)].tolist() == getattr(plain, name).tolist(), name
    assert np.isinf(demand.arrival_s[len(plain) :]).all()
    assert len(demand) > 2 * len(plain)
    assert plain.links is None


def test_a_longer_horizon_only_adds_conversations() -> None:
    short, long = (workload(**talk(tools=TOOLS)).demand(1, 0, horizon_s) for horizon_s in (20.0, 60.0))
    for one, other in zip(chains(short), chains(long), strict=False):
        for name in ("prompt_tokens", "output_tokens"):
            assert getattr(short, name)[one].tolist() == getattr(long, name)[other].tolist()


def test_every_row_is_in_one_conversation() -> None:
    demand = workload(streams={"a": talk(tools=TOOLS), "plain": chat(), "b": talk()}).demand(1, 0, 20.0)
    links = demand.links
    assert links is not None
    turns = [row for chain in chains(demand) for row in chain]
    assert len(turns) == len(set(turns))
    calls = np.setdiff1d(np.flatnonzero(links.session >= 0), turns)
    named = np.concatenate(
        [np.arange(first, first + many) for first, many in zip(links.then, links.thens, strict=True) if many]
    )
    counted = np.bincount(named, minlength=len(demand))
    assert (counted == links.waits).all()
    assert len(calls) > 50
    assert (links.session[demand.stream == 1] == -1).all()
    assert sorted(set(links.session.tolist())) == list(range(-1, links.sessions))
    assert not links.last.any()
    assert demand.more is None


def test_calls_wait_for_their_delay_and_turns_for_their_thought() -> None:
    demand = workload(**talk(tools={**TOOLS, "delay": {"kind": "uniform", "low": 1, "high": 2}})).demand(1, 0, 20.0)
    links = demand.links
    assert links is not None
    turns = np.array([row for chain in chains(demand) for row in chain[1:]])
    calls = np.setdiff1d(np.flatnonzero(links.waits), turns)
    assert (links.pause_s[turns] == 10).all()
    assert ((links.pause_s[calls] >= 1) & (links.pause_s[calls] <= 2)).all()
    assert (demand.prompt_tokens[calls] == 100).all()
    assert (demand.prefix0[calls] == -1).all()


def test_prompts_hold_the_history() -> None:
    demand = workload(**talk(prompt_tokens={"kind": "constant", "value": 7})).demand(1, 0, 30.0)
    several = 0
    for chain in chains(demand):
        prompt, output = demand.prompt_tokens[chain].tolist(), demand.output_tokens[chain].tolist()
        several += len(chain) > 1
        for at in range(1, len(chain)):
            assert prompt[at] == prompt[at - 1] + output[at - 1] + 7
    assert several > 50


def test_without_history_later_turns_are_new_tokens_alone() -> None:
    demand = workload(**talk(history=False, prompt_tokens={"kind": "constant", "value": 7})).demand(1, 0, 30.0)
    rows = [row for chain in chains(demand) for row in chain[1:]]
    assert (demand.prompt_tokens[rows] == 7).all()
    assert demand.prefix_blocks == 0


def naive_histories(new: list[int], output: list[int], most: int) -> tuple[list[int], list[int]]:
    """Prompts and the turns they begin with, of one conversation, turn by turn."""
    prompts, begins, begin = [], [], 0
    for at in range(len(new)):
        while sum(new[begin : at + 1]) + sum(output[begin : at + 1]) > most:
            begin += 1
        prompts.append(sum(new[begin : at + 1]) + sum(output[begin:at]))
        begins.append(begin)
    return prompts, begins


def test_the_oldest_turns_are_left_out_of_what_does_not_fit() -> None:
    rng = np.random.default_rng(1)
    lengths = rng.integers(1, 12, 60)
    starts = np.zeros(lengths.sum(), bool)
    starts[np.cumsum(lengths) - lengths] = True
    new, output = (rng.integers(1, 50, len(starts)).astype(np.int32) for _ in range(2))
    told = histories(starts, new, output, 200)
    prompts, begins, at = [], [], 0
    for length in lengths.tolist():
        one = naive_histories(new[at : at + length].tolist(), output[at : at + length].tolist(), 200)
        prompts += one[0]
        begins += [at + begin for begin in one[1]]
        at += length
    assert told.prompt_tokens.tolist() == prompts
    assert told.begins.tolist() == begins
    assert len(set(begins)) > 2 * len(lengths), "many were left out"


def spans(demand: Demand, row: int) -> dict[int, tuple[int, int]]:
    """The tokens, from and to, that each id in a request's list stands for; its answer's too."""
    flat = demand.prefixes[demand.prefix0[row] :].tolist()
    at, end, found = 0, 0, {}
    while flat[at] >= 0:
        found[flat[at]] = (end, end + int(demand.prefix_sizes[flat[at]]))
        end, at = found[flat[at]][1], at + 1
    if flat[at] < -1:
        found[-2 - flat[at]] = (end, end + int(demand.prefix_sizes[-2 - flat[at]]))
    return found


def test_a_prompt_names_what_was_computed_before_it() -> None:
    demand = workload(**talk()).demand(1, 0, 30.0)
    for chain in chains(demand):
        known: dict[int, tuple[int, int]] = {}
        for row in chain:
            own = spans(demand, row)
            prompt, output = int(demand.prompt_tokens[row]), int(demand.output_tokens[row])
            assert max((end for _, end in own.values()), default=0) == (prompt + output - 1) // 16 * 16
            assert known.keys() <= own.keys(), "all that was computed is part of it"
            assert all(own[name] == known[name] for name in known)
            known = own
    ids = np.concatenate([demand.prefixes[demand.prefixes >= 0], -2 - demand.prefixes[demand.prefixes < -1]])
    assert sorted(set(ids.tolist())) == list(range(demand.prefix_blocks))
    assert (demand.prefix_sizes % 16 == 0).all()
    assert (demand.prefix_sizes > 0).all()


def test_conversations_share_nothing_and_neither_do_prompts_that_begin_elsewhere() -> None:
    demand = workload(**talk(turns=8, max_context=900)).demand(1, 0, 10.0)
    used: dict[int, int] = {}
    begun_anew, lists = 0, prefix_lists(demand)
    for number, chain in enumerate(chains(demand)):
        for row in chain:
            assert all(used.setdefault(name, number) == number for name in spans(demand, row))
            assert demand.prompt_tokens[row] + demand.output_tokens[row] <= 900
        begun_anew += len({lists[row][0] for row in (chain[0], chain[-1]) if lists[row]}) > 1
    assert begun_anew > 20


def test_several_streams_keep_what_each_has_alone() -> None:
    both = workload(streams={"a": talk(), "b": talk(tools=TOOLS)}).demand(1, 0, 20.0)
    alone = workload(streams={"b": talk(tools=TOOLS)}).demand(1, 0, 20.0)
    ours = [chain for chain in chains(both) if both.stream[chain[0]] == 1]
    for mine, theirs in zip(ours, chains(alone), strict=True):
        assert both.prompt_tokens[mine].tolist() == alone.prompt_tokens[theirs].tolist()
        for row, other in zip(mine, theirs, strict=True):
            assert list(spans(both, row).values()) == list(spans(alone, other).values())


def test_calls_of_the_model_say_the_same() -> None:
    pool = {"model": "llama-3-8b", "gpu": "h100-sxm", "autoscaler": {"replicas": 1}}
    back = {"slow": "10s", "share": "30%", "away": "10m"}
    streams = {"a": talk(comes_back=back), "b": chat()}
    scenario = load({"name": "x", "horizon": "20s", "workload": {"streams": streams}, "pools": {"chat": pool}})
    demand = scenario.workload.demand(1, 0, 20.0)
    calls = callers.call_table(scenario, demand, setup.request_table(scenario, demand), 1000)
    assert calls is not None
    assert demand.links is not None
    follows = demand.links.then >= 0
    assert (calls["then"] == np.where(follows, demand.links.then + 1000, -1)).all()
    assert (calls["waits"] == demand.links.waits).all()
    one, other = callers.senders(scenario)
    assert (one.slow_s, one.leaves, one.away_s, one.persists) == (10, 0.3, 600, False)
    assert (other.leaves, other.persists) == (0.0, False)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no turn": (chat(session={"turns": 0.5}), "turns: must be at least 1, got 0.5"),
    "less than a turn on average": (
        chat(session={"turns": {"kind": "uniform", "low": 0, "high": 1}}),
        "turns: must be at least 1 on average, got 0.5",
    ),
    "no tokens to remember": (
        {
            "arrivals": {"kind": "poisson", "rate": 1},
            "service": {"kind": "exponential", "mean": 1},
            "session": {"turns": 2},
        },
        "session.history: needs prompt_tokens and output_tokens of the stream; or history: false",
    ),
    "two shares": (
        chat(cached_share=0.5, session={"turns": 2}),
        "cached_share: the history of a session tells what is cached; take this key out or set "
        "session.prefix_cache: false",
    ),
    "a context of what": (
        chat(session={"turns": 2, "history": False, "max_context": 100}),
        "max_context: is only used with history: true",
    ),
    "closed": (
        chat(arrivals={"kind": "closed", "users": 3}, session={"turns": 2}),
        "session: does not go with closed arrivals, where each user asks on and on; use one of them",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_sessions_say_so(case: str) -> None:
    keys, told = WRONG[case]
    with pytest.raises(ValidationError) as caught:
        workload(**keys)
    assert complaint(caught.value) == [told]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (
            {"max_context": 150},
            r"workload\.session\.max_context: is 150 tokens, and a turn has 1\d\d new prompt tokens and 100 output",
        ),
        ({"turns": {"kind": "exponential", "mean": 30_000}}, r"workload\.session\.turns: drew .* 32,767 is the most"),
    ],
)
def test_what_can_never_be_is_refused_with_its_place(keys: dict[str, Any], told: str) -> None:
    lengths = {"kind": "uniform", "low": 90, "high": 199}
    one = workload(**chat(prompt_tokens=lengths, session={"turns": 3, **keys}))
    with pytest.raises(ConfigError, match=told):
        one.demand(1, 0, 20.0)


def test_a_session_survives_dumping() -> None:
    one = workload(**talk(tools=TOOLS, comes_back={"slow": "10s"}, max_context="2k"))
    again = workload(**one.model_dump(mode="json", by_alias=True, exclude_none=True))
    assert again == one
    whole, back = one.demand(1, 0, 20.0), again.demand(1, 0, 20.0)
    assert whole.prompt_tokens.tolist() == back.prompt_tokens.tolist()
