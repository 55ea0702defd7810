"""Whatever is typed, the loader answers with a scenario or with a `ConfigError`; what it writes, it reads back."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from sim.config import units
from sim.config.dump import to_yaml
from sim.config.errors import ConfigError, DataError
from sim.config.loader import parse, parse_value
from sim.config.tree import Place, from_python
from sim.scenario import load

NUMBERS = st.floats(min_value=0, max_value=1e15, allow_nan=False)
QUANTITIES = [
    (units.DURATION, ["s", "ms", "m", "h", "d", "w", ""]),
    (units.RATE, ["/s", "/min", "/h", "/d", "k/s", ""]),
    (units.AMOUNT, ["", "k", "M"]),
    (units.USD_PER_HOUR, ["/h", ""]),
]


def tried(call: Callable[..., Any], *arguments: Any) -> tuple[Any, Exception | None]:
    """What a call returned, or what it raised."""
    try:
        return call(*arguments), None
    except Exception as error:
        return None, error


@given(st.sampled_from(QUANTITIES), st.data())
def test_a_quantity_in_text_is_the_number_times_its_unit(
    case: tuple[units.Quantity, list[str]], data: st.DataObject
) -> None:
    quantity, spellings = case
    number, unit = data.draw(NUMBERS), data.draw(st.sampled_from(spellings))
    got = quantity.parse(f"{number!r}{unit}")
    assert got == pytest.approx(number * float(quantity.units[unit]), rel=1e-15)
    assert quantity.parse(got) == got
    assert quantity.parse(repr(got)) == got  # a bare number, as `to_yaml` writes it, is exact


@given(st.text(max_size=100) | st.from_regex(r"[-+$]?[0-9.]{0,5} ?[a-zA-Z/%]{0,4}", fullmatch=True))
def test_any_text_is_a_finite_quantity_or_a_complaint(text: str) -> None:
    for kind in (units.Duration, units.Rate, units.Count, units.Size, units.UsdPerHour, units.Share, units.Bandwidth):
        value, error = tried(TypeAdapter(kind).validate_python, text)
        if isinstance(error, ValidationError):
            assert error.errors()[0]["type"] == "said"
            continue
        assert error is None
        assert math.isfinite(value)
        assert value >= 0
        pattern = kind.__metadata__[0].pattern  # type: ignore[attr-defined]
        assert re.search(pattern, text), "the JSON Schema's pattern admits what the loader admits"


@settings(suppress_health_check=[HealthCheck.too_slow])  # texts are drawn from long patterns
@given(st.data())
def test_the_schemas_pattern_admits_only_what_the_loader_reads(data: st.DataObject) -> None:
    quantity = data.draw(st.sampled_from([units.DURATION, units.RATE, units.SIZE, units.USD_PER_HOUR, units.SHARE]))
    text = data.draw(st.from_regex(quantity.pattern).filter(lambda text: len(text) <= 80))
    _, error = tried(quantity.parse, text)
    assert quantity.noun not in str(error), "out of limits perhaps, but never unreadable"


YAML_PIECES = st.sampled_from(
    [
        "a",
        "b: ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "&x ",
        "*x",
        "'",
        '"',
        "\n",
        "\n  ",
        "\t",
        "#",
        ": ",
        "? ",
        "|",
        ">",
        "!!",
        "%",
    ]
)


@given(st.text(max_size=60) | st.lists(YAML_PIECES, max_size=30).map("".join))
@example("a: &x\n  - *x\n")
@example("%YAML 1.1\n---\na: 1")
@example("\ufeffa: 1")
@example("a: " + "{b: " * 39 + "1" + "}" * 39)
def test_any_text_is_a_tree_or_a_config_error(text: str) -> None:
    root, error = tried(parse, text, "x.yaml")
    if error is not None:
        assert isinstance(error, ConfigError)
        assert len(error.problems) == 1
        assert str(error).startswith("x.yaml")
    else:
        assert isinstance(root.plain(), dict)


@given(st.text(max_size=40) | st.lists(YAML_PIECES, max_size=12).map("".join))
@example('"\x1b')
def test_any_command_line_value_is_a_value_or_a_config_error(text: str) -> None:
    _, error = tried(parse_value, text, Place("--set"))
    assert error is None or (isinstance(error, ConfigError) and str(error).startswith("--set: "))


SCALARS = st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.floats(allow_nan=False) | st.text(max_size=12)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=8), VALUES, min_size=1, max_size=5))
@example({"a": "1e3", "b": "0o7", "c": "no", "d": "~", "e": "", "f": 1e-5, "g": "12:30", "1": "- x", "<": "<<"})
@example({"~": "x", "": "y", "null": 1, "on": True})
def test_what_is_written_is_read_back(data: dict[str, Any]) -> None:
    again, error = tried(parse, to_yaml(data))
    if error is not None:  # text that YAML cannot hold at all
        told = ("'<<'", "is not allowed in YAML", "lone surrogate", "control character")
        assert any(words in str(error) for words in told)
        return
    assert again.plain() == from_python(data, Place()).plain()


KEYS = st.sampled_from(
    ["name", "seed", "horizon", "warmup", "workload", "pools", "chat", "arrivals", "kind", "rate", "service", "slo"]
)
PARTS = st.sampled_from(
    ["replica", "latency", "queue", "autoscaler", "replicas", "price", "gpu", "model", "trace", "streams", "from"]
)
WORDS = st.sampled_from(
    ["poisson", "fixed", "slots", "batching", "central", "5/s", "1h", "h200", "llama-3-8b", "mmc", "..", "x.csv"]
)
SCENARIO_LIKE = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | PARTS, inner, max_size=6),
    max_leaves=30,
)


STRANGE_PATHS = [
    "",
    ".",
    "..",
    "/",
    "~",
    "~nobody/x.yaml",
    "a\0/b.yaml",
    "x" * 5000 + "/y",
    "\ud800/x",
    "/proc/1/mem.yaml",
]


@pytest.mark.parametrize("text", STRANGE_PATHS)
def test_any_text_may_stand_for_a_file(text: str) -> None:
    good = {"name": "x", "horizon": 1, "pools": {}}
    for wrong in (text, {**good, "workload": text}, {**good, "workload": {"trace": text}}):
        _, error = tried(load, wrong)
        assert isinstance(error, ConfigError | DataError), error


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(KEYS, SCENARIO_LIKE, max_size=8))
def test_any_mapping_is_a_scenario_or_a_config_error(data: dict[str, Any]) -> None:
    _, error = tried(load, data)
    if error is not None:
        assert isinstance(error, ConfigError)
        assert error.problems
        assert all(problem.message and "Input should" not in problem.message for problem in error.problems)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_one_random_change_to_a_good_file_is_never_a_traceback(data: st.DataObject) -> None:
    text = (Path(__file__).parents[2] / "configs" / "mmc.yaml").read_text()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 20)))
    broken = text[:start] + data.draw(st.text(max_size=5) | YAML_PIECES) + text[end:]
    _, error = tried(lambda: load(parse(broken, "mmc.yaml").plain()))
    assert error is None or isinstance(error, ConfigError)
