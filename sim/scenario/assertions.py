"""What a scenario asserts of its runs (`assert:`): sentences, each a number, a limit, and how sure one has to be.

    QUANTITY [of pool|class|tenant NAME] OPERATOR VALUE [with N% confidence]

A quantity is a statistic of a latency (`p99 ttft`), how far an objective of the scenario is met (`attained ttft`,
`attained ttft under 1s`), or a number of the summary by its dotted path or the end of it (`cost.usd_per_day`,
`busy_share`). The sentence is kept as it was written; what it means is worked out here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic_core import PydanticCustomError

from sim.config import catalogue
from sim.config.said import Problems, said
from sim.config.units import DURATION, SHARE, Quantity
from sim.scenario.numbers import KINDS, METRICS, STATISTICS, Whose, named, quantity_of

if TYPE_CHECKING:
    from sim.scenario import Scenario, Target

Operator = Literal["<", "<=", ">", ">=", "="]
OPERATORS: dict[str, Operator] = {"<=": "<=", ">=": ">=", "==": "=", "<": "<", ">": ">", "=": "="}
_SPELT = OPERATORS | {"≤": "<=", "≥": ">="}
_LATE = {"=<": "<=", "=>": ">=", "!=": "="}
LEAST_CONFIDENCE, MOST_CONFIDENCE = 0.5, 0.9999
ROUNDING = 1e-12
"""Values as close as this are the same: a share of all is 1, but for the last digits of its sum."""
EXAMPLES = ("p99 ttft < 1s with 95% confidence", "usd_per_million_output_tokens < 2", "requests.rejected = 0")
SENTENCE = {"type": "string", "pattern": r"\S\s*(<=|>=|==|=|<|>|≤|≥)\s*\S", "examples": [*EXAMPLES]}
"""What every sentence looks like, for editors; the rest is told by the loader."""


@dataclass(frozen=True)
class Assertion:
    """One sentence, understood."""

    text: str
    whose: Whose
    name: str
    """The number's path below the block of whose it is; `attained` for an objective."""
    operator: Operator
    limit: float
    """In the base unit: seconds, USD, a share."""
    confidence: float | None
    """In [0.5, 0.9999]; None: the estimate decides."""
    objective: int | None = None
    """Which of the scenario's objectives `attained` is about."""

    @property
    def path(self) -> str:
        """Where the number stands in a summary; for an objective, the name of it."""
        return f"{self.whose.block}{self.name}"

    def holds(self, value: float) -> bool:
        """Whether a value is on the right side of the limit."""
        if math.isclose(value, self.limit, rel_tol=ROUNDING):
            return "=" in self.operator
        return value < self.limit if "<" in self.operator else ">" in self.operator and value > self.limit


def assertions(scenario: Scenario) -> tuple[Assertion, ...]:
    """Those of a scenario, in the order of the file."""
    return tuple(assertion(text, scenario) for text in scenario.assertions or ())


def assertion_problems(scenario: Scenario) -> Problems:
    """What cannot be understood."""
    found: Problems = []
    for place, text in enumerate(scenario.assertions or ()):
        try:
            assertion(text, scenario)
        except PydanticCustomError as error:
            found.append((("assert", place), str((error.context or {})["text"])))
    return found


def assertion(text: str, scenario: Scenario) -> Assertion:
    """What a sentence says of a scenario's runs. Raises `said` with what is wrong and what would be right."""
    claim, confidence = _confidence(" ".join(text.split()))
    left, operator, right = _sides(claim)
    what, whose = _whose(left, scenario)
    objective = None
    if what == "attained" or what.startswith("attained "):
        whose, objective = _objective(what, whose, scenario)
        name = "attained"
    else:
        name = _number(what, whose)
    limit = _limit(right, left, name)
    if confidence is not None and operator == "=":
        raise said("an equality is never known with a confidence; assert <= and >=, or leave the confidence out")
    if confidence is not None and name.endswith((".max", ".min")):
        raise said(f"'{left}' is the extreme of what was seen, which has no confidence; assert a p99, or leave it out")
    return Assertion(text, whose, name, operator, limit, confidence, objective)


def _confidence(text: str) -> tuple[str, float | None]:
    """The claim, and the confidence that it ends with."""
    found = re.fullmatch(r"(.*?) with (\S+) confidence", text)
    if found is None:
        if re.search(r"\b(with|confiden\w*|confident)\b", text):
            raise said(f"must end 'with N% confidence', as in '{EXAMPLES[0]}'; got '{text}'")
        return text, None
    try:
        share = float(SHARE.between(LEAST_CONFIDENCE, MOST_CONFIDENCE).parse(found[2]))
    except PydanticCustomError:
        raise said(f"the confidence must be between 50% and 99.99%; got '{found[2]}'") from None
    return found[1], share


def _sides(claim: str) -> tuple[str, Operator, str]:
    for wrong, right in _LATE.items():
        if wrong in claim:
            raise said(f"no operator is written '{wrong}'; did you mean '{right}'?")
    parts = re.split(r"(<=|>=|==|[<>=≤≥])", claim)
    if len(parts) == 1:
        raise said(f"needs an operator, one of {', '.join(OPERATORS)}, as in '{EXAMPLES[1]}'; got '{claim}'")
    left, spelt, right = parts[0].strip(), parts[1], "".join(parts[2:]).strip()
    if len(parts) > 3:
        raise said(f"holds more than one operator: assert each limit in a sentence of its own; got '{claim}'")
    if not left or not right:
        raise said(f"needs a quantity before '{spelt}' and a value after it, as in '{EXAMPLES[1]}'; got '{claim}'")
    return left, _SPELT[spelt], right


def _whose(left: str, scenario: Scenario) -> tuple[str, Whose]:
    """The quantity without what it is of, and that."""
    what, of, name = left.partition(" of ")
    if of:
        kind, _, called = name.partition(" ")
        kinds = list(KINDS.values())
        if kind not in kinds or not called:
            hint = catalogue.did_you_mean(kind, kinds) if called else ", one of pool NAME, class NAME, tenant NAME"
            raise said(f"'of {name}': must be of a pool, a class or a tenant{hint}")
        return what, _called(next(each for each in kinds if each == kind), called, scenario)
    block, _, below = what.partition(".")
    if block in KINDS and " " not in what:
        called, _, rest = below.partition(".")
        return rest, _called(KINDS[block], called, scenario)
    return what, Whose()


def _called(kind: Literal["pool", "class", "tenant"], name: str, scenario: Scenario) -> Whose:
    there = {"pool": [*scenario.pools], "class": [*scenario.request_classes], "tenant": [*scenario.customers]}
    known = there[kind]
    if name not in known:
        hint = catalogue.did_you_mean(name, known) if known else f"; there is no {kind} in this scenario"
        raise said(f"no {kind} is called '{name}'{hint}")
    return Whose(kind, name)


def _number(what: str, whose: Whose) -> str:
    """The path of a number below its block."""
    statistic, _, metric = what.partition(" ")
    if statistic in STATISTICS and metric.removesuffix("_s") in METRICS:
        return f"latency.{metric.removesuffix('_s')}_s.{statistic}"
    found = named(what, whose.paths)
    if len(found) == 1:
        return found[0]
    if found:
        raise said(f"'{what}' may be any of {', '.join(found)}: write more of the path")
    if not whose.kind or named(what, Whose().paths) == ():
        raise said(f"no quantity is called '{what}'{_like(what, whose)}")
    raise said(f"'{what}' is not known of a {whose.kind}, only of the fleet" + _or_pool(what))


def _or_pool(what: str) -> str:
    return " or a pool" if named(what, Whose("pool").paths) else ""


def _like(what: str, whose: Whose) -> str:
    """What was probably meant."""
    spoken = [f"{statistic} {metric}" for metric in METRICS for statistic in STATISTICS]
    spoken += [f"attained {metric}" for metric in METRICS]
    last = [path.rpartition(".")[2] for path in whose.paths]
    best = catalogue.nearest(what, [*spoken, *whose.paths, *dict.fromkeys(last)])
    if best is not None:
        return f"; did you mean '{best}'?"
    return f"; it is a statistic ({', '.join(STATISTICS)}) of a latency ({', '.join(METRICS)}), or a summary's number"


def _objective(what: str, whose: Whose, scenario: Scenario) -> tuple[Whose, int]:
    """Which of the scenario's objectives is meant, and in whose block it is looked up."""
    found = re.fullmatch(r"attained (\S+)(?: (?:under|within) (\S+))?", what)
    if found is None or found[1] not in METRICS:
        hint = catalogue.did_you_mean(found[1], METRICS) if found else ""
        raise said(f"'{what}' must be 'attained METRIC' or 'attained METRIC under LIMIT', as in 'attained ttft'{hint}")
    under_s = None if found[2] is None else _parsed_limit(found[2], "the limit of the objective", DURATION)
    about = [
        place
        for place, target in enumerate(scenario.slo)
        if target.metric == found[1] and under_s in (None, target.under_s)
    ]
    about = _nearest(about, scenario.slo, whose)
    if not about:
        raise said(f"'{what}': no such objective under 'slo'{_objectives(scenario.slo)}")
    if len(about) > 1:
        raise said(f"'{what}' may be {len(about)} objectives: add its limit ('attained ttft under 1s') or whose it is")
    own = _about(scenario.slo[about[0]], whose.kind)
    return (Whose() if own is not None and own == whose.name else whose), about[0]


def _nearest(about: Sequence[int], slo: Sequence[Target], whose: Whose) -> list[int]:
    """Of several objectives, those that name whose requests are meant; else those that name nobody."""
    if whose.kind in ("class", "tenant"):
        mine = [place for place in about if _about(slo[place], whose.kind) == whose.name]
        return mine or [place for place in about if _is_for_all(slo[place])]
    general = [place for place in about if _is_for_all(slo[place])]
    return list(about) if len(about) == 1 else general or list(about)


def _about(target: Target, kind: str) -> str | None:
    return {"class": target.class_name, "tenant": target.tenant}.get(kind)


def _is_for_all(target: Target) -> bool:
    return target.class_name is None and target.tenant is None


def _objectives(slo: Sequence[Target]) -> str:
    told: Iterator[str] = (f"{target.metric} under {target.under_s:g}s" for target in slo)
    return f"; there are: {', '.join(told)}" if slo else "; it says what share of requests is promised which latency"


def _limit(text: str, left: str, name: str) -> float:
    negative = text.startswith("-") and "margin" in name
    value = _parsed_limit(text.removeprefix("-") if negative else text, f"the limit of '{left}'", quantity_of(name))
    return -value if negative else value


def _parsed_limit(text: str, what: str, quantity: Quantity) -> float:
    try:
        return float(quantity.parse(text))
    except PydanticCustomError as error:
        raise said(f"{what} {(error.context or {})['text']}") from None
