"""Tables of scenario keys, read from the JSON Schema; the schema file itself; files of the project as blocks."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent

QUANTITIES = {
    "90s": "duration",
    "5/s": "rate",
    "8": "whole number",
    "1024": "number",
    "80GiB": "size",
    "$2.99/h": "price",
    "$0.09/GB": "price",
    "95%": "share",
    "2.039TB/s": "bandwidth",
    "0.05/h": "rate",
    "25%": "whole number or share",
    "$40k": "USD",
    "$20/month": "USD a month",
    "$150/kW-month": "USD a kW and month",
    "$1200/year": "USD a year",
    "$0.08/kWh": "USD a kWh",
    "$0.50/Mtok": "USD a million tokens",
}
"""What a value is, by the first example that its JSON Schema shows."""


def schema_file(check: bool) -> list[str]:
    """`docs/scenario.schema.json`, which the first line of a scenario points editors to."""
    from sim.cli.schema import schema_text

    path, text = DOCS / "scenario.schema.json", schema_text()
    if check:
        same = path.is_file() and path.read_text(encoding="utf-8") == text
        return [] if same else ["docs/scenario.schema.json: is not the schema of this version"]
    path.write_text(text, encoding="utf-8")
    return []


@cache
def _schema() -> dict[str, Any]:
    from sim.scenario.schema import json_schema

    return json_schema()


def file(path: str, language: str = "yaml") -> str:
    """A file of the project as a fenced block."""
    return f"```{language}\n{(ROOT / path).read_text(encoding='utf-8').strip()}\n```"


def keys(definition: str = "") -> str:
    """The keys of one part of a scenario file: what they take, their default, what they mean."""
    part = _part(definition) if definition else _schema()
    lines = ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
    for name, about in part["properties"].items():
        if about.get("const") is not None:
            continue
        needed = name in part.get("required", ())
        default = "required" if needed else _default(about)
        lines.append(f"| `{name}` | {_value(about)} | {default} | {about.get('description', '')} |")
    return "\n".join(lines)


def _part(definition: str) -> dict[str, Any]:
    """A definition by its name; where several classes have that name, by the end of module and name."""
    known: dict[str, dict[str, Any]] = _schema()["$defs"]
    if definition in known:
        return known[definition]
    (found,) = (part for name, part in known.items() if name.endswith(f"__{definition}"))
    return found


def _default(about: dict[str, Any]) -> str:
    default = about.get("default")
    if default is None or default in ("", []):
        return ""
    if isinstance(default, dict):
        return f"`{{kind: {default['kind']}}}`" if "kind" in default else ""
    if next(iter(about.get("examples", ())), None) == "90s" and default and default % 86_400 == 0:
        return f"`{default / 86_400:g}d`"
    text = json.dumps(default).strip('"') if not isinstance(default, float) else f"{default:g}"
    return f"`{text}`"


def _value(about: dict[str, Any]) -> str:
    """What a key takes, in a word."""
    if "enum" in about:
        return ", ".join(f"`{item}`" for item in about["enum"])
    first = next(iter(about.get("examples", ())), None)
    if isinstance(first, str) and first in QUANTITIES:
        return QUANTITIES[first]
    if "const" in about:
        return f"`{about['const']}`"
    for several in ("anyOf", "oneOf"):
        if several in about:
            options = [item for item in about[several] if item.get("type") != "null"]
            refs = [item["$ref"].rpartition("/")[2] for item in options if "$ref" in item]
            if refs and len(refs) == len(options):
                return " or ".join(f"`{_tag(ref)}`" for ref in refs) if len(refs) < 4 else "a law"
            if {item.get("type") for item in options} == {"integer", "number", "string"}:
                return "number or quantity"
            if options[0].get("description") == "A name or a path.":
                return "name, path or mapping"
            if options[0].get("description") == "A duration, a name or a path.":
                return "duration, law, name, path or mapping"
            return _value(options[0])
    if about.get("type") == "array":
        return "list"
    if about.get("type") == "object":
        return "mapping"
    if "$ref" in about:
        return "mapping"
    return {"string": "text", "boolean": "`true`, `false`", "number": "number", "integer": "whole number"}[
        about["type"]
    ]


def _tag(ref: str) -> str:
    kind = _schema()["$defs"][ref]["properties"].get("kind")
    return str((kind or {}).get("const", ref))
