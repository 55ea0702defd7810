"""Tables of the sheets that ship: GPUs, models, engines, boot presets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def gpus() -> str:
    """The GPU sheets."""
    lines = ["| name | card | memory | list price, as of | source of the price |", "| --- | --- | --- | --- | --- |"]
    for sheet in _sheets("gpus"):
        price = sheet.get("price") or {}
        told = f"{price['on_demand']}, {price.get('as_of', '')}" if price else "none"
        cells = (f"`{sheet['name']}`", sheet.get("description", ""), sheet["memory"], told, price.get("source", ""))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def models() -> str:
    """The model sheets, and on what replicas their speed is measured."""
    lines = ["| name | model | calibrated on | operator times on |", "| --- | --- | --- | --- |"]
    for sheet in _sheets("models"):
        known = [
            ", ".join(dict.fromkeys(f"{row['gpus_per_replica']} x {row['gpu']}" for row in sheet.get(key, ())))
            for key in ("calibrations", "operators")
        ]
        lines.append(f"| `{sheet['name']}` | {sheet.get('description', '')} | {known[0]} | {known[1]} |")
    return "\n".join(lines)


def engines() -> str:
    """The engine sheets."""
    lines = ["| name | a host iteration | a sequence | outside the engine | asynchronous | from |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for sheet in _sheets("engines"):
        ahead = "yes" if sheet["lookahead"] else "no"
        logit = sheet.get("o1_per_vocabulary_token")
        a_sequence = f"{sheet['o1']} + {logit} x vocabulary" if logit else sheet["o1"]
        cells = (f"`{sheet['name']}`", sheet["o0"], a_sequence, sheet["overhead"], ahead, sheet["source"])
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def boots() -> str:
    """The boot presets, and how long they take on average."""
    from sim.hardware import weights_bytes
    from sim.scenario.boot import Boot

    sizes = [weights_bytes(_model(name)) for name in ("llama-3-8b", "llama-3-70b")]
    lines = ["| name | what is there, and where the weights come from | 8B | 70B |", "| --- | --- | --- | --- |"]
    for sheet in _sheets("boot"):
        boot = Boot.model_validate(sheet)
        means = [f"{boot.mean_s(size, draws=4096):.0f} s" for size in sizes]
        lines.append(f"| `{boot.name}` | {boot.description} | {' | '.join(means)} |")
    return "\n".join(lines)


def boot_sources() -> str:
    """Where the figures of the boot presets come from, by stage."""
    lines = ["| preset | stage | figures | from |", "| --- | --- | --- | --- |"]
    for sheet in _sheets("boot"):
        for stage, source in sheet["sources"].items():
            lines.append(f"| `{sheet['name']}` | {stage} | {_law_words(sheet[stage])} | {source} |")
    return "\n".join(lines)


def _law_words(law: Any) -> str:
    """A law as it stands in the sheet, on one line."""
    import yaml

    return f"`{yaml.safe_dump(law, default_flow_style=True, sort_keys=False, width=10_000).strip()}`"


def _model(name: str) -> Any:
    from sim.hardware import ModelSheet

    return ModelSheet.model_validate(next(sheet for sheet in _sheets("models") if sheet["name"] == name))


def _sheets(folder: str) -> list[dict[str, Any]]:
    import yaml

    return [
        yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "configs" / folder).glob("*.yaml"))
    ]
