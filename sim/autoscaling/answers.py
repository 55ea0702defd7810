"""What a user's own policy answers, and what is told when that is no decision, or does not come."""

from __future__ import annotations

import dataclasses
import traceback
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from sim.autoscaling import bounds
from sim.autoscaling.observation import Decision, Observation, Policy
from sim.config.errors import ConfigError, Problem
from sim.config.units import shown

ANSWERS_S = 60.0
"""How long one decision may take, on the clock of this machine."""
SOONEST_S = 0.001
"""Until such a policy may be asked again: a run has to end."""
_MOST_TEXT = 300


def asked(policy: Policy, kind: str, seen: Observation, memory: Any) -> tuple[Decision, Any]:
    """What the policy decides, and remembers.

    Raises `ConfigError` when it fails, says what is no decision, or says nothing for a minute.
    """
    try:
        with bounds.bounded(ANSWERS_S):
            answer = policy.decide(seen, memory)
        wrong = _wrong(answer, seen.at_s)
    except KeyboardInterrupt:
        raise
    except bounds.TooLong as error:
        told = f"decide has not answered within {ANSWERS_S:g} s, asked at {seen.at_s:g} s{where(error)}"
        raise ConfigError(Problem(f"'{kind}': {told}; let it do less, or end its loop", "autoscaler")) from None
    except BaseException as error:  # the class is the user's own: whatever it raises is a fault of the scenario
        told = f"decide raised {type(error).__name__} at {seen.at_s:g} s{where(error)}: {_text(error)}"
        raise ConfigError(Problem(f"'{kind}': {told}", "autoscaler")) from error
    if wrong:
        raise ConfigError(Problem(f"'{kind}': at {seen.at_s:g} s, decide {wrong}", "autoscaler"))
    decision, kept = answer
    if type(decision.replicas) is not int or type(decision.proposed) not in (int, type(None)):  # numpy's
        proposed = None if decision.proposed is None else int(decision.proposed)
        decision = dataclasses.replace(decision, replicas=int(decision.replicas), proposed=proposed)
    return decision, kept


def is_count(value: Any) -> bool:
    """Whether it is a whole number of at least 0."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 0


def where(error: BaseException) -> str:
    """The line of the user's that raised, in words; nothing where there is none."""
    steps = [step for step in traceback.extract_tb(error.__traceback__) if step.filename != bounds.__file__]
    return f" (line {steps[-1].lineno} of {Path(steps[-1].filename).name})" if steps else ""


def _wrong(answer: Any, at_s: float) -> str | None:
    """Why what `decide` returned is no decision with what to remember."""
    if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[0], Decision):
        return f"must return (Decision, memory), got {shown(answer)}"
    decision = answer[0]
    if not is_count(decision.replicas):
        return f"must want a whole number of replicas, 0 or more; got {shown(decision.replicas)}"
    if not isinstance(decision.reason, str):
        return f"must give its reason as text; got {shown(decision.reason)}"
    if decision.proposed is not None and not is_count(decision.proposed):
        return f"must propose a whole number of replicas, or None; got {shown(decision.proposed)}"
    next_s = decision.next_s
    if next_s is None:
        return None
    if isinstance(next_s, bool) or not isinstance(next_s, Real) or not next_s >= at_s + SOONEST_S:
        return f"must ask to be asked again at least 1 ms later (next_s), or None for its period; got {shown(next_s)}"
    return None


def _text(error: BaseException) -> str:
    try:
        return str(error)[:_MOST_TEXT]
    except Exception:  # even this is the user's own code
        return "its text cannot be had"
