"""A policy on its own, from wherever users have one: a manifest, an `autoscaler` block, or a pool of a scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sim.autoscaling import AnyPolicy
from sim.autoscaling.manifest_file import policy_node, read_manifest
from sim.autoscaling.observation import Policy
from sim.config import catalogue
from sim.config.errors import ConfigError, Problem
from sim.config.loader import read_documents
from sim.config.reading import Read, validated
from sim.config.references import Foreign, locate, resolve_all
from sim.config.tree import Node, Place, mapping
from sim.scenario import Scenario, load


class _Block(BaseModel):
    """A file that holds nothing but an autoscaler."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    autoscaler: Annotated[AnyPolicy, Field(description="How many replicas there are.")]


_REFERENCES = (Foreign(("autoscaler",), "manifest", policy_node, ("kind",)),)


def policy_of(source: str, pool: str | None = None) -> Policy:
    """The policy of a file, told by what it holds, or of a scenario that ships. Raises `ConfigError`.

    `pool` names the pool of a scenario that has several.
    """
    path = locate(source, catalogue.SCENARIOS, "scenario or manifest", Place())
    documents = read_documents(path)
    root = documents[0] if len(documents) == 1 else None
    if root is not None and root.child("pools") is not None:
        scenario = load(path)
        return scenario.pools[pool_name(scenario, pool)].autoscaler
    if pool is not None:
        raise ConfigError(Problem("is for scenarios: this file has no pools", "--pool"))
    block = None if root is None else _block(root)
    return _validated(block) if block is not None else read_manifest(Path(path)).policy


def pool_name(scenario: Scenario, wanted: str | None) -> str:
    """The pool that is meant: the one named, or the only one. Raises `ConfigError`."""
    pools = list(scenario.pools)
    if wanted is None and len(pools) == 1:
        return pools[0]
    if wanted is None:
        raise ConfigError(Problem(f"is needed: the scenario has several pools ({', '.join(pools)})", "--pool"))
    if wanted not in pools:
        raise ConfigError(Problem(f"no pool is called '{wanted}'{catalogue.did_you_mean(wanted, pools)}", "--pool"))
    return wanted


def _block(root: Node) -> Node | None:
    """A file's autoscaler block, below its key or as the whole file; None for anything else."""
    if root.child("autoscaler") is not None:
        return root
    if root.child("apiVersion") is None and (root.child("kind") is not None or root.child("manifest") is not None):
        return mapping({"autoscaler": root}, root.place, {"autoscaler": root.place})
    return None


def _validated(root: Node) -> Policy:
    problems: list[Problem] = []
    resolved, lost = resolve_all(root, _REFERENCES, problems)
    return validated(Read(resolved, tuple(problems), lost), _Block).autoscaler
