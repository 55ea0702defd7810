"""What the server answers, as pydantic models: the OpenAPI document is made of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from sim.ui.wire.asked import Source, State

__all__ = [
    "About",
    "CurveTold",
    "JobTold",
    "KnobTold",
    "LongTold",
    "LookTold",
    "Opened",
    "PoolTold",
    "ProblemTold",
    "Problems",
    "StoredTold",
]


class ProblemTold(BaseModel):
    """One thing that is wrong."""

    place: Annotated[str, Field(description="The key, or the file with line and column; empty if it is the whole.")]
    message: str


class Problems(BaseModel):
    """Why a request was refused."""

    problems: list[ProblemTold]


class KnobTold(BaseModel):
    """A slider (or a choice): one change of the scenario."""

    key: str
    label: str
    help: str
    pool: Annotated[str, Field(description="The pool it belongs to; empty: the whole scenario.")]
    kind: Literal["number", "choice"]
    own: Annotated[float | str, Field(description="What the scenario says.")]
    low: float
    high: float
    step: float
    log: bool
    unit: str
    choices: list[str]


class PoolTold(BaseModel):
    """A pool of the scenario."""

    name: str
    size_key: Annotated[str, Field(description="The slider that the curve is over; empty: it has no such.")]
    replicas: str


class Opened(BaseModel):
    """A scenario, and what can be moved of it."""

    source: Source
    name: str
    description: str
    expected_requests: float
    live: Annotated[bool, Field(description="Whether charts follow the sliders; if not, ask for a job.")]
    priced_slowness: bool
    metric: Annotated[str, Field(description="Which wait the curve shows.")]
    pools: list[PoolTold]
    knobs: list[KnobTold]
    scenario_yaml: Annotated[str, Field(description="As it stands resolved, for a link that works elsewhere.")]


class CurveTold(BaseModel):
    """The curve of a state: its points and the chart."""

    number: int
    points: list[dict[str, Any]]
    plot: dict[str, Any]


class LookTold(BaseModel):
    """The charts of a state."""

    number: int
    command: Annotated[str, Field(description="The same as a command.")]
    verdict: str
    mood: Literal["good", "bad", "plain"]
    tiles: list[dict[str, Any]]
    plots: dict[str, dict[str, Any]]
    points: list[dict[str, Any]]
    notes: list[str]


class LongTold(BaseModel):
    """A state whose charts take too long to wait for: ask for a job of kind `look`."""

    number: int
    long: Literal[True] = True
    expected_requests: float


class JobTold(BaseModel):
    """A job: how far it is, and what it has found so far."""

    id: str
    kind: Literal["compare", "look"]
    state: Literal["waiting", "running", "done", "cancelled", "failed"]
    done: int
    most: int | None
    what: Annotated[str, Field(description="What is counted.")]
    found: Annotated[dict[str, Any] | None, Field(description="What is known by now; whole once it is done.")]
    problems: list[ProblemTold]


class StoredTold(BaseModel):
    """A stored run, study or plan."""

    id: str
    name: str
    kind: Literal["run", "study", "plan"]
    has_page: bool
    has_scenario: bool


class About(BaseModel):
    """What this server has."""

    version: str
    scenarios: list[dict[str, str]]
    given: Annotated[str, Field(description="The scenario that the server was started with, or nothing.")]
    stored: list[StoredTold]
    first: State | None
