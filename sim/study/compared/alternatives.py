"""What is compared: scenarios as they were named on the command line, each with a short name of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sim.config.errors import ConfigError, Problem
from sim.config.overrides import placed
from sim.result import words
from sim.scenario import Scenario, load
from sim.study.compared.labels import labels
from sim.study.compared.steps import changes

OPTION = "--with"
_LONGEST = 60


@dataclass(frozen=True)
class Alternative:
    """A scenario to be compared, and where it comes from."""

    name: str
    source: str
    """A file, or the name of a scenario that ships."""
    sets: tuple[str, ...]
    """`KEY=VALUE`, in the order in which they are applied."""
    scenario: Scenario

    own: tuple[str, ...] = ()
    """Those of `sets` that the others have not."""

    @property
    def own_keys(self) -> tuple[str, ...]:
        """The keys that it alone changes, as they were typed."""
        return tuple(text.partition("=")[0].strip() for text in self.own)


def alternatives(sources: Sequence[str], withs: Sequence[str], sets: Sequence[str] = ()) -> list[Alternative]:
    """The baseline (the first source), the other sources, then the baseline with each of these changes.

    `withs`: `KEY=VALUE; KEY=VALUE`, one text an alternative; `sets` change all of them. Raises `ConfigError` for a
    scenario that is wrong, an alternative that is given twice, and fewer than two of them.
    """
    told = [(source, ()) for source in sources] + [(sources[0], tuple(_parts(text))) for text in withs]
    if len(told) < 2:
        raise ConfigError("nothing to compare with: name another scenario, or say --with KEY=VALUE")
    for place, one in enumerate(told):
        if one in told[:place]:
            twice = f"'{'; '.join(one[1])}' is given twice" if one[1] else f"'{one[0]}' is given twice"
            remedy = "two runs of one scenario differ in nothing; to change it say --with KEY=VALUE"
            raise ConfigError(Problem(f"{twice}: {remedy}", OPTION if one[1] else ""))
    scenarios = [_loaded(source, sets, own) for source, own in told]
    return [
        Alternative(name, source, (*sets, *own), scenario, own)
        for name, (source, own), scenario in zip(labels(told, scenarios), told, scenarios, strict=True)
    ]


def _loaded(source: str, sets: Sequence[str], own: Sequence[str]) -> Scenario:
    try:
        return load(source, (*sets, *own))
    except ConfigError as error:
        raise placed(error, [text.partition("=")[0].strip() for text in own], OPTION) from None


def notes(baseline: Alternative, other: Alternative) -> list[str]:
    """What a reader must know of how these two differ, to read their numbers."""
    one, beside, found = baseline.scenario, other.scenario, []
    for what, ours, theirs in (
        ("horizon", one.horizon_s, beside.horizon_s),
        ("warm-up", one.warmup_s, beside.warmup_s),
    ):
        if ours != theirs:
            times = f"{words.duration(theirs)} in {other.name}, {words.duration(ours)} in {baseline.name}"
            found.append(f"the {what} is {times}: totals are of different times, compare what is told by the day")
    if one.seed != beside.seed:
        found.append(f"{other.name} is run with the seed of {baseline.name} ({one.seed}), not its own ({beside.seed})")
    if one.slo != beside.slo:
        found.append(f"{other.name} promises something else than {baseline.name}: only what both promise is compared")
    if not set(one.pools) & set(beside.pools):
        found.append(f"{other.name} and {baseline.name} share no pool: numbers of the whole fleet are compared")
    if any(change.path[0] == "workload" for change in changes(one, beside)):
        found.append(f"{other.name} has other traffic than {baseline.name}: what differs is due to that too")
    return found


def _parts(text: str) -> Iterator[str]:
    """The changes of one alternative: the parts between semicolons that are outside of brackets and quotes."""
    depth, quote, part, parts = 0, "", "", []
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        else:
            depth += (character in "[{") - (character in "]}")
        if character == ";" and depth <= 0 and not quote:
            parts.append(part)
            part = ""
        else:
            part += character
    for one in (*parts, part):
        if "=" not in one or not one.partition("=")[0].strip():
            told = "must be KEY=VALUE, several with ';' between them, such as pools.chat.autoscaler.replicas=7"
            raise ConfigError(Problem(f"{told}; got '{text[:_LONGEST]}'", OPTION))
        if one.partition("=")[0].strip() == "seed":
            raise ConfigError(Problem("the seed is the same for all that is compared; say --seed N", OPTION))
        yield one.strip()
