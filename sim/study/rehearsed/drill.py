"""A drill and what came of it, as values: what is made to happen, what was attained meanwhile, when it was over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sim.result import words
from sim.scenario import Scenario

State = Literal["kept", "recovered", "open", "cannot"]
"""Promises kept throughout; missed for a while; not back within the run; a drill that cannot be made here."""


@dataclass(frozen=True)
class Drill:
    """Something that goes wrong, as a change of a scenario; or why it cannot be tried on it."""

    name: str
    what: str
    """What is made to happen, in a sentence."""
    scenario: Scenario | None = None
    at_s: float = 0.0
    """When it begins."""
    watched_s: float = 0.0
    """How long from then on attainment is looked at."""
    why_not: str = ""


@dataclass(frozen=True)
class Objective:
    """One objective in a drill."""

    told: str
    share: float
    """Promised."""
    during: float | None
    """Attained by the requests that came while it was watched; None: none came."""
    without: float | None
    """The same requests without the drill."""

    @property
    def kept(self) -> bool:
        """Whether it was attained meanwhile."""
        return self.during is None or self.during >= self.share


@dataclass(frozen=True)
class Rehearsal:
    """What came of a drill."""

    drill: Drill
    objectives: tuple[Objective, ...] = ()
    recovered_after_s: float | None = None
    """From its beginning until requests are answered in time as usual, and stay so; None: not in these runs."""
    seed: int = 0
    runs: int = 0

    @property
    def state(self) -> State:
        """How it ended."""
        if self.drill.scenario is None:
            return "cannot"
        if all(each.kept for each in self.objectives):
            return "kept"
        return "open" if self.recovered_after_s is None else "recovered"

    @property
    def worst(self) -> Objective:
        """The objective that lost most against its promise."""
        return min(self.objectives, key=lambda each: (1.0 if each.during is None else each.during) - each.share)

    @property
    def verdict(self) -> str:
        """In a sentence."""
        if self.state == "cannot":
            return f"Not tried: {self.drill.why_not}."
        worst, span = self.worst, words.duration(self.drill.watched_s)
        attained = words.MISSING if worst.during is None else words.share_beside(worst.during, worst.share)
        found = f"{attained} of {worst.told} in the {span} from then on ({words.percent(worst.share)} promised)"
        if self.state == "kept":
            return f"Kept: {found}."
        if self.recovered_after_s is None:
            return f"Missed, and not back to usual within the run: {found}."
        return f"Missed for a while: {found}; as usual again after {words.duration(self.recovered_after_s)}."

    def as_document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "name": self.drill.name,
            "what": self.drill.what,
            "state": self.state,
            "verdict": self.verdict,
            "at_s": self.drill.at_s,
            "watched_s": self.drill.watched_s,
            "recovered_after_s": self.recovered_after_s,
            "objectives": [
                {"objective": each.told, "share": each.share, "during": each.during, "without": each.without}
                for each in self.objectives
            ],
            "seed": self.seed,
            "runs": self.runs,
            "config_sha256": None if self.drill.scenario is None else self.drill.scenario.digest,
        }
