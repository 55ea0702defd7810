"""Policies from outside: `kind: package.module:Class`, or an object in Python. Owns finding and dumping them.

A scenario has to be written to a file and run again from it, so a policy must be one that can be written: a pydantic
model, a dataclass, or an instance of any class that was made from the keys of a scenario file.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real
from typing import Any, Literal, get_args

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema, to_jsonable_python

from sim.autoscaling.answers import SOONEST_S, asked, is_count, where
from sim.autoscaling.observation import Across, Decision, How, Observation, Pipeline, Policy, Query
from sim.config.said import said
from sim.config.units import shown

EXTERNAL = "package.module:Class"
"""The tag of the union's member for them; as the list of kinds in an error shows it."""

_PATH = r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*"
_HEARS = ("nothing", "first_arrival", "changes")
MOST_REPLICAS = 100_000
"""Of a policy of the user's own, as of a fixed fleet."""
_REST = "a subclass of sim.autoscaling.base.Elastic has the rest"
_PROTOCOL = tuple(name for name in vars(Policy) if not name.startswith("_"))


@dataclass(frozen=True)
class External:
    """A policy of the user's own, with what a scenario file says of it."""

    kind: str
    """`package.module:Class`, as given."""
    policy: Policy
    keys: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """The other keys, plain values."""

    # read once: what a policy says of itself holds for the whole run

    @cached_property
    def period_s(self) -> float:
        return self.policy.period_s

    @cached_property
    def queries(self) -> tuple[Query, ...]:
        return self.policy.queries

    @cached_property
    def pipeline(self) -> Pipeline:
        return self.policy.pipeline

    @cached_property
    def initial_replicas(self) -> int:
        return self.policy.initial_replicas

    @cached_property
    def floor_replicas(self) -> int:
        return self.policy.floor_replicas

    @cached_property
    def most_replicas(self) -> int:
        return self.policy.most_replicas

    @cached_property
    def hears(self) -> Literal["nothing", "first_arrival", "changes"]:
        return self.policy.hears

    def decide(self, seen: Observation, memory: Any) -> tuple[Decision, Any]:
        """What the user's own policy says. Raises `ConfigError` when it fails, or says what is no decision."""
        return asked(self.policy, self.kind, seen, memory)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        dump = core_schema.plain_serializer_function_ser_schema(lambda own: {"kind": own.kind, **own.keys})
        return core_schema.no_info_plain_validator_function(_external, serialization=dump)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        kind = {"type": "string", "pattern": f"^{_PATH}$", "description": "The policy's class, importable."}
        return {
            "type": "object",
            "title": "External",
            "description": "A policy of your own; its other keys are its class's.",
            "properties": {"kind": kind},
            "required": ["kind"],
        }


def kind_of(value: Any) -> str:
    """The tag of the union's member that a value is for: its `kind`; `fixed` without one; objects that are not ours."""
    if isinstance(value, Mapping):
        kind = str(value.get("kind", "fixed"))
        return EXTERNAL if ":" in kind else kind
    return EXTERNAL if is_own(value) else str(getattr(value, "kind", "fixed"))


def is_own(value: object) -> bool:
    """Whether this is a policy object of a class that is not the project's."""
    ours = type(value).__module__.startswith("sim.autoscaling.") and not isinstance(value, External)
    return hasattr(value, "decide") and not ours


def _external(value: Any) -> External:
    """A policy from a mapping with `kind: package.module:Class`, or from an object. Raises `said`."""
    if isinstance(value, External):
        return value
    if not isinstance(value, Mapping):
        kind = f"{type(value).__module__}:{type(value).__qualname__}"
        return External(kind, _checked(value, kind), _keys(value, kind))
    kind = str(value["kind"])
    keys = {str(key): item for key, item in value.items() if key != "kind"}
    policy = _checked(_built(_found(kind), keys, kind), kind)
    try:
        return External(kind, policy, _keys(policy, kind))
    except ValueError:  # neither a model nor a dataclass: what the file said of it is all there is to write
        return External(kind, policy, keys)


def _found(kind: str) -> Any:
    """The class that `package.module:Class` names. Raises `said`."""
    if not re.fullmatch(_PATH, kind):
        raise said(f"must be the path of a class, such as my_pkg.policies:MyPolicy; got {shown(kind)}", "kind")
    module, _, name = kind.partition(":")
    if module.partition(".")[0] in sys.stdlib_module_names:  # some of these act when they are only imported
        raise said(f"'{module}' is Python's own library, which has no policies; name a class of yours", "kind")
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and (module == error.name or module.startswith(f"{error.name}.")):
            told = f"no module '{error.name}' can be imported; install it, or add its folder to PYTHONPATH"
            raise said(told, "kind") from None
        raise said(f"'{module}' cannot be imported: {error}", "kind") from None
    except Exception as error:  # the module is the user's own: whatever it raises is a fault of the scenario
        raise said(f"'{module}' cannot be imported: {type(error).__name__}: {error}", "kind") from None
    for step in name.split("."):
        found = getattr(found, step, None)
        if found is None:
            raise said(f"module '{module}' has no '{name}'", "kind")
    return found


def _built(found: Any, keys: Mapping[str, Any], kind: str) -> Any:
    """An instance of the class, made from the keys. A pydantic model's complaints keep their places."""
    if not isinstance(found, type):
        raise said(f"'{kind}' is not a class", "kind")
    if not callable(getattr(found, "decide", None)):  # before it is made: making one may do anything
        lacks = ", ".join(name for name in _PROTOCOL if not hasattr(found, name))
        raise said(f"'{kind}' is not a policy: it lacks {lacks}; {_REST}", "kind")
    if issubclass(found, BaseModel):
        return found.model_validate(dict(keys))
    try:
        return found(**_parts(keys)) if dataclasses.is_dataclass(found) else found(**keys)
    except Exception as error:
        raise said(f"'{kind}' does not take these keys: {error}") from None


def _parts(keys: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a dataclass as it had them, where they are parts of the protocol that a file holds as mappings."""
    found = dict(keys)
    if isinstance(found.get("queries"), list):
        found["queries"] = tuple(Query(**each) if isinstance(each, Mapping) else each for each in found["queries"])
    if isinstance(found.get("pipeline"), Mapping):
        found["pipeline"] = Pipeline(**found["pipeline"])
    return found


def _checked(policy: Any, kind: str) -> Policy:
    """The policy, if it has what a policy needs. Raises `said`."""
    missing = [name for name in _PROTOCOL if not hasattr(type(policy), name) and not _has(policy, name)]
    if missing or not callable(policy.decide):
        raise said(f"'{kind}' is not a policy: it lacks {', '.join(missing) or 'a method decide'}; {_REST}", "kind")
    checked: Policy = policy
    try:
        wrong = _wrong_policy(checked)
    except Exception as error:  # a property that fails is the user's own
        raise said(f"'{kind}' cannot be read: {type(error).__name__}{where(error)}: {error}") from None
    if wrong:
        raise said(f"'{kind}' {wrong}")
    return checked


def _has(policy: Any, name: str) -> bool:
    """Whether a policy has this; one that fails when it is read, has it."""
    try:
        return hasattr(policy, name)
    except Exception:
        return True


def _wrong_policy(policy: Policy) -> str | None:
    """What is wrong with the values of a policy's properties. Whatever reading them raises is the caller's to tell."""
    if isinstance(policy.period_s, bool) or not isinstance(policy.period_s, Real) or not policy.period_s >= SOONEST_S:
        return f"must have a period of at least 1 ms, got {shown(policy.period_s)}"
    for name in ("initial_replicas", "floor_replicas", "most_replicas"):
        value = getattr(policy, name)
        if not is_count(value) or value > MOST_REPLICAS:
            return f"must have {name} of 0 to {MOST_REPLICAS}, a whole number; got {shown(value)}"
    if policy.initial_replicas > policy.most_replicas or policy.most_replicas == 0:
        return f"must have most_replicas of at least 1 and initial_replicas; got {policy.most_replicas}"
    if not isinstance(policy.queries, tuple) or not all(isinstance(query, Query) for query in policy.queries):
        return f"must have queries as a tuple of Query; got {shown(policy.queries)}"
    for query in policy.queries:
        if query.how not in get_args(How) or query.across not in get_args(Across) or not 0 <= query.over_s < math.inf:
            return f"must ask for what there is; it asks for {query}"
    pipeline = policy.pipeline
    if not isinstance(pipeline, Pipeline) or not (pipeline.scrape_s >= 0 and pipeline.delay_s >= 0):
        return f"must have a pipeline, such as Pipeline(scrape_s=15.0); got {shown(pipeline)}"
    if policy.hears not in _HEARS:
        return f"must have hears as one of {', '.join(_HEARS)}; got {shown(policy.hears)}"
    return None


def _keys(policy: Any, kind: str) -> dict[str, Any]:
    """What a scenario file says of a policy beside its kind. Raises `said` for one that cannot be written."""
    if isinstance(policy, BaseModel):
        keys = policy.model_dump(mode="json", by_alias=True, exclude_none=True)
    elif dataclasses.is_dataclass(policy):
        given = {part.name: getattr(policy, part.name) for part in dataclasses.fields(policy) if part.init}
        try:
            keys = to_jsonable_python({name: value for name, value in given.items() if value is not None})
        except ValueError as error:
            raise said(f"'{kind}' holds what no scenario file can: {error}") from None
    else:
        raise said(f"'{kind}' must be a pydantic model or a dataclass, so that the scenario can be written to a file")
    keys.pop("kind", None)
    return dict(keys)
