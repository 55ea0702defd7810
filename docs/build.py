"""Rebuild the documentation: run everything that a page quotes and put the answers in place.

    python docs/build.py            rewrite the pages and pictures in place
    python docs/build.py --check    rewrite nothing; fail where a page says something else than a run
    python docs/build.py --bench    measure the speed again too (the numbers of one machine, not checked)
    python docs/build.py --part gallery                    the gallery alone, `tutorial`, `questions`, `guide`
                                                           (where a reader begins), or `manual`: all the rest
    python docs/build.py docs/gallery/chatgpt-2023.md      one page, and the pictures of a page of the gallery

What a page may hold:

- `<!--= EXPRESSION -->text<!--/-->`: the text is the value of a Python expression over the names of `facts_*.py` and
  `tables_*.py`, in the gallery over those of `gallery_pages.names_of`. On one line it is a value in a sentence; over
  several lines it is a block. A value in a sentence must not begin a line: Markdown takes such a line for HTML.
- A fenced `console` block: each line that starts with `$ ` is run by a shell in the page's own scratch folder, together
  with the lines after it that start with `> `, and what it prints follows. A comment on the line before may say
  `exit 2` (the code that the last command must leave with; its errors are then shown too), `first 12 lines`, or
  `not run: why`. In an expression `printed(PATTERN)` is the group of a regular expression in what the last commands
  above it have printed, shown or not; it must be found there, once or always the same.
- A fenced `python` block: run in the page's own namespace; what it prints stands in a `text` block right after it.
- A fenced `yaml` block must load: a whole scenario, or parts that are laid over a small one.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import difflib
import importlib
import io
import itertools
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path[:0] = [str(ROOT), str(DOCS)]

PARTS = {
    "manual": ("README.md", "CONTRIBUTING.md", "docs/*.md"),
    "guide": tuple(
        f"docs/{stem}.md"
        for stem in ("index", "install", "first-run", "concepts", "howto", "reports", "ui", "extending", "verbs")
    ),
    "questions": ("docs/questions.md",),
    "tutorial": ("docs/tutorial.md",),
    "gallery": ("docs/gallery/*.md", "docs/gallery.md"),
}
"""Which pages are built together, in this order: the table of the gallery reads the pages of its rows."""
WIDTH = 96
HERE = "/home/you"
"""What pages show for the scratch folder of their commands."""

_REGION = re.compile(r"<!--=(?P<expression>.*?)-->(?P<text>.*?)<!--/-->", re.DOTALL)
_FENCE = re.compile(
    r"^(?:<!-- (?P<say>exit \d+|first \d+ lines|not run: [^\n]*?) -->\n)?"
    r"```(?P<language>console|python|yaml)\n(?P<body>.*?)^```\n(?P<output>(?:\n?```text\n.*?^```\n)?)",
    re.DOTALL | re.MULTILINE,
)

BASE: dict[str, Any] = {
    "name": "page",
    "horizon": "10m",
    "workload": {
        "arrivals": {"kind": "poisson", "rate": "2/s"},
        "prompt_tokens": {"kind": "constant", "value": 500},
        "output_tokens": {"kind": "constant", "value": 50},
        "service": {"kind": "constant", "value": "1s"},
    },
    "pools": {
        "chat": {"model": "llama-3-8b", "gpu": "h100-sxm", "autoscaler": {"kind": "fixed", "replicas": 1}},
    },
}
"""What parts of a scenario in a `yaml` block are laid over before they are loaded."""


def _commands(body: str) -> list[str]:
    """The commands of a block; one goes on in the lines that start with `> `."""
    commands: list[str] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            commands.append(line[2:])
            going_on = True
        elif (line == ">" or line.startswith("> ")) and commands and going_on:
            commands[-1] += f"\n{line[2:]}"
        else:
            going_on = False
    return commands


class PageError(Exception):
    """A page that cannot be built: what it says does not run."""


class Page:
    """One page on its way: its own scratch folder for commands, its own namespace for Python."""

    def __init__(self, path: Path, names: Mapping[str, Any], folder: Path) -> None:
        self.path = path
        self.names = {**names, "printed": self.printed}
        self.folder = folder
        self.said: list[list[str]] = []
        """What each block's commands have printed, by line."""
        self.above = 0
        """How many blocks stand above the value that is worked out."""
        self.python: dict[str, Any] = {"__name__": "__main__"}
        self.not_run: list[str] = []

    def built(self) -> str:
        """The page as it ought to be."""
        text = self.path.read_text(encoding="utf-8")
        text = _FENCE.sub(self._block, text)
        return _REGION.sub(self._value, text)

    def printed(self, pattern: str) -> str:
        """What the group of a pattern matches in the output of the last commands above."""
        said = next(filter(None, reversed(self.said[: self.above])), [])
        found = set(re.findall(pattern, "\n".join(said), re.MULTILINE))
        if len(found) != 1:
            raise ValueError(f"the commands print {sorted(found) or 'nothing like it'}")
        return str(found.pop())

    def _value(self, found: re.Match[str]) -> str:
        expression = found["expression"].strip()
        if "<!--=" in found["text"]:
            raise PageError(f"{self.path.name}: {expression}: is not closed by <!--/-->")  # else what follows is lost
        self.above = len(_FENCE.findall(found.string[: found.start()]))
        try:
            value = str(eval(expression, self.names))
        except Exception as error:
            raise PageError(f"{self.path.name}: {expression}: {error!r}") from error
        if "\n" in found["text"]:
            value = f"\n{value.strip(chr(10))}\n"
        elif found.string[: found.start()].endswith("\n"):
            # Markdown would take the whole line for HTML
            raise PageError(f"{self.path.name}: {expression}: a value in a sentence must not begin a line")
        return f"<!--={found['expression']}-->{value}<!--/-->"

    def _block(self, found: re.Match[str]) -> str:
        say, language, body, output = found["say"] or "", found["language"], found["body"], found["output"]
        note = f"<!-- {say} -->\n" if say else ""
        self.said.append([])
        if say.startswith("not run"):
            self.not_run += _commands(body)
        elif language == "console":
            body = self._console(body, say)
        elif language == "yaml":
            self._load(body)
        else:
            printed = self._python(body)
            output = f"\n```text\n{printed}```\n" if printed else ""
        return f"{note}```{language}\n{body}```\n{output}"

    def _console(self, body: str, say: str) -> str:
        """The commands of a block, each followed by what it prints now."""
        commands = _commands(body)
        wanted = [0] * (len(commands) - 1) + [int(say[5:]) if say.startswith("exit") else 0]
        parts = []
        for command, code in zip(commands, wanted, strict=True):
            done = subprocess.run(
                ["bash", "-c", command], cwd=self.folder, env=self._environment(), capture_output=True, text=True
            )
            if done.returncode != code:
                raise PageError(f"{self.path.name}: `{command}` left with {done.returncode}, not {code}\n{done.stderr}")
            printed = (done.stdout + (done.stderr if code else "")).replace(str(self.folder.resolve()), HERE)
            lines = [line.rstrip() for line in printed.splitlines()]
            while lines and not lines[-1]:
                lines.pop()
            self.said[-1] += lines
            if say.startswith("first"):
                most = int(say.split()[1])
                lines = lines[:most] + ["..."] * (len(lines) > most)
            parts += [re.sub(r"^> $", ">", "$ " + command.replace("\n", "\n> "), flags=re.MULTILINE), *lines]
        return "\n".join(parts) + "\n"

    def _environment(self) -> dict[str, str]:
        """As in a shell where fleetcast is installed."""
        programs = self.folder.parent / "bin"
        programs.mkdir(exist_ok=True)
        for name, words in {"fleetcast": "-m sim ", "python": ""}.items():
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words}"$@"\n')
            program.chmod(0o755)
        return os.environ | {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "error",
            "COLUMNS": str(WIDTH),
            "NO_COLOR": "1",
        }

    def _python(self, body: str) -> str:
        """What a block prints, the value of a last expression included, as a notebook shows it."""
        tree = ast.parse(body)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.chdir(self.folder):
            try:
                exec(compile(tree, self.path.name, "exec"), self.python)
                if isinstance(last, ast.Expr):
                    value = eval(compile(ast.Expression(last.value), self.path.name, "eval"), self.python)
                    if value is not None:
                        print(value)
            except Exception as error:
                raise PageError(f"{self.path.name}: {error!r} in\n{body}") from error
        lines = [line.rstrip() for line in printed.getvalue().splitlines()]
        return "".join(f"{line}\n" for line in lines)

    def _load(self, body: str) -> None:
        """Refuse a YAML block that is not right: it is a scenario, or parts of one."""
        from sim.config.loader import parse
        from sim.scenario import load

        try:
            said = parse(body, self.path.name).plain()
            if "name" not in said:
                said = self._completed(said)
            with contextlib.chdir(self.folder):
                load(said)
        except ValueError as error:
            raise PageError(f"{self.path.name}: {error} in\n{body}") from error

    def _completed(self, said: dict[str, Any]) -> dict[str, Any]:
        """Parts of a scenario as a whole one: keys of a scenario, of a stream or of a pool."""
        from sim.scenario import Pool, Scenario

        whole: dict[str, Any] = {**BASE, "pools": {**BASE["pools"]}}
        tops, pool = ({field.alias or name for name, field in kind.model_fields.items()} for kind in (Scenario, Pool))
        for key, value in said.items():
            if key in tops:
                whole[key] = value
            elif key in pool:
                whole["pools"] = {"chat": {**whole["pools"]["chat"], key: value}}
            elif key == "trace" or "trace" in said:
                whole["workload"] = said
            else:
                whole["workload"] = {**whole["workload"], key: value}
        whole = _named(said, whole)
        slots = whole["pools"].get("chat", {}).get("replica", {}).get("kind") == "slots"
        if slots:
            whole["pools"]["chat"] = {k: v for k, v in whole["pools"]["chat"].items() if k != "model"}
        return whole


def _named(said: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    """A scenario in which there is what parts of one name: pools of rules, streams of classes, tenants and rules."""
    rules: list[dict[str, Any]] = said.get("routes", [])
    if "pools" not in said:
        whole["pools"] |= {rule["to"]: whole["pools"]["chat"] for rule in rules}
    kinds = [*said.get("classes", ()), *(rule["class"] for rule in rules if "class" in rule)]
    marks = [{"class": kind} for kind in dict.fromkeys(kinds)] or [{}]
    owners = [{"tenant": name} for name in said.get("tenants", ())] or [{}]
    streams = {"-".join((kind | owner).values()): kind | owner for kind, owner in itertools.product(marks, owners)}
    streams |= {rule["stream"]: {} for rule in rules if "stream" in rule}
    if whole["workload"] is BASE["workload"] and (rules or list(streams) != [""]):
        own = BASE["workload"] | {"pool": next(iter(whole["pools"]))}
        whole["workload"] = {"streams": {name or "any": own | stream for name, stream in streams.items()}}
    return whole


def pages(part: str) -> list[Path]:
    """Every page of a part, in a fixed order."""
    found = {path: None for pattern in PARTS[part] for path in sorted(ROOT.glob(pattern))}
    if part == "manual":
        return [path for path in found if not any(path in pages(other) for other in PARTS if other != part)]
    return list(found)


def _names(path: Path) -> Mapping[str, Any]:
    """What a page may quote."""
    import gallery_pages
    import gallery_runs

    if path == gallery_pages.INDEX or gallery_pages.is_row(path):
        return gallery_pages.names_of(path)
    stems = sorted(path.stem for kind in ("tables", "facts") for path in DOCS.glob(f"{kind}_*.py"))
    modules = (gallery_runs, *map(importlib.import_module, stems))
    return {name: value for module in modules for name, value in vars(module).items()}


def build(chosen: list[Path], check: bool) -> tuple[list[str], list[str]]:
    """Build pages; returns what is out of date (as differences), and the commands that were not run."""
    stale: list[str] = []
    not_run: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        for path in chosen:
            folder = Path(scratch).resolve() / path.stem
            folder.mkdir()
            page = Page(path, _names(path), folder)
            before, now = path.read_text(encoding="utf-8"), page.built()
            not_run += page.not_run
            if now != before:
                stale += difflib.unified_diff(
                    before.splitlines(), now.splitlines(), f"{path.name} (says)", f"{path.name} (is)", lineterm="", n=1
                )
                if not check:
                    path.write_text(now, encoding="utf-8")
    return stale, not_run


def main() -> int:
    parser = argparse.ArgumentParser(description="Rebuild the documentation from runs.")
    parser.add_argument("pages", nargs="*", type=Path, help="Only these pages (default: all, and the pictures).")
    parser.add_argument("--part", choices=PARTS, action="append", help="Only this part of the pages, and its pictures.")
    parser.add_argument("--check", action="store_true", help="Change nothing; fail where a page is out of date.")
    parser.add_argument("--bench", action="store_true", help="Measure the speed again too.")
    asked = parser.parse_args()
    import gallery_pages
    import pictures
    import tables_scenario
    import tables_speed

    os.environ.update(COLUMNS=str(WIDTH), NO_COLOR="1")
    if asked.bench:
        tables_speed.measure()
    parts = asked.part or ([] if asked.pages else list(PARTS))
    chosen = [path.resolve() for path in asked.pages] + [path for part in parts for path in pages(part)]
    try:
        stale, not_run = build(chosen, asked.check)
        stale += gallery_pages.draw(chosen, asked.check)
        if "manual" in parts:
            stale += tables_scenario.schema_file(asked.check)
            stale += pictures.draw(asked.check)
        if "guide" in parts:
            stale += pictures.guide(asked.check)
    except PageError as error:
        print(error, file=sys.stderr)
        return 1
    for line in stale:
        print(line)
    for command in not_run:
        print(f"not run: {command}")
    return 1 if asked.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
