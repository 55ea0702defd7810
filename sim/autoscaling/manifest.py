"""Documents of real autoscalers: which family reads one, and what is wrong with it, each mistake at its field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from sim.autoscaling.observation import Policy
from sim.config.complaints import complaints
from sim.config.errors import ConfigError
from sim.config.tree import Place, dotted, from_python
from sim.config.units import shown

Model = TypeVar("Model", bound=BaseModel)

Where = tuple[str | int, ...]
"""The keys from the top of a document down to a field."""


class ManifestError(ValueError):
    """A document that is wrong, or that asks for what the simulator cannot honour. Holds every problem found."""

    def __init__(self, problems: Sequence[tuple[Where, str]]) -> None:
        self.problems = list(problems)
        """Each the path of a field and what is wrong with it."""
        super().__init__("\n".join(f"{dotted(at)}: {text}" if at else text for at, text in self.problems))


class Family(Protocol):
    """What a policy class has when real documents can become it."""

    @classmethod
    def recognises(cls, document: Mapping[str, Any]) -> bool:
        """Whether the document is one of this family's, right or wrong."""
        ...

    @classmethod
    def from_manifest(cls, document: Mapping[str, Any]) -> Self:
        """The policy that a document describes. Raises `ManifestError`."""
        ...

    def to_manifest(self, name: str, like: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The document of this policy; `like` is the original, whose other contents are kept."""
        ...


def families() -> tuple[type[Family], ...]:
    """Every member of the union that reads documents; the first that recognises one reads it."""
    # Each family raises the error above, so it imports this module: they can only meet inside a function.
    from sim.autoscaling import AnyPolicy

    members = (get_args(member)[0] for member in get_args(get_args(AnyPolicy)[0]))
    return tuple(member for member in members if hasattr(member, "recognises"))


def policy_from(document: Mapping[str, Any]) -> Policy:
    """The policy that a document of any family describes.

    Raises `ManifestError` when no family recognises it, or the family finds it wrong.
    """
    for family in families():
        if family.recognises(document):
            _check_notes(document)
            policy: Any = family.from_manifest(document)
            return policy  # type: ignore[no-any-return]
    kind = "/".join(str(document[key]) for key in ("apiVersion", "kind") if key in document) or "without a kind"
    raise ManifestError([((), f"not the manifest of an autoscaler that is simulated: {kind}")])


def _check_notes(document: Mapping[str, Any]) -> None:
    """Families read annotations by their names, and keep the others: they must have names. Raises `ManifestError`."""
    metadata = document.get("metadata")
    notes = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    if notes is not None and not isinstance(notes, Mapping):
        told = f"must be a mapping (key: value); got {shown(notes)}"
        raise ManifestError([(("metadata", "annotations"), told)])


def validated(model: type[Model], document: Mapping[str, Any]) -> Model:
    """A document as the model of its fields. Raises `ManifestError`."""
    try:
        return model.model_validate(dict(document))
    except ValidationError as error:
        raise refused(error, document, model) from None


def refused(error: ValidationError, document: Mapping[str, Any], model: type[BaseModel]) -> ManifestError:
    """What pydantic found in a document, in this project's words, each at its field with the nearest right name."""
    try:
        found, _ = complaints(error, from_python(document, Place()), model)
    except ConfigError as wrong:  # holds what no settings file can hold
        found = list(wrong.problems)
    return ManifestError([(_steps(problem.path), problem.message) for problem in found])


def _steps(path: str) -> Where:
    """A dotted path as its keys. No field that is checked has a dot in its name; labels have, and are not checked."""
    return tuple(int(step) if step.isdigit() else step for step in path.split(".")) if path else ()
