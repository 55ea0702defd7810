"""YAML text to a tree with places: what scalars mean, where things stand, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from sim.config.errors import ConfigError
from sim.config.loader import parse, parse_value, read_file
from sim.config.tree import Place


def complaint(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, "a.yaml")
    assert len(caught.value.problems) == 1
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("12:30", "12:30"),
        ("2026-08-26", "2026-08-26"),
        ("1_000", "1_000"),
        ("010", 10),
        ("-7", -7),
        ("0x1F", 31),
        ("0o17", 15),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("-.inf", -math.inf),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("'12'", "12"),
        ('"no"', "no"),
        ("!!str 12", "12"),
        ("$2.99/h", "$2.99/h"),
        ("95%", "95%"),
    ],
)
def test_scalars_are_yaml_1_2(written: str, meant: object) -> None:
    got = parse(f"a: {written}").plain()["a"]
    assert got == meant
    assert type(got) is type(meant)


def test_keys_stay_as_written() -> None:
    assert parse("at: {0: 1, 0.50: 2, no: 3}").plain() == {"at": {"0": 1, "0.50": 2, "no": 3}}


def test_places() -> None:
    root = parse("a: 1\nb:\n  - x\n  - {c: 2}\n", "f.yaml")
    assert root.keys["b"] == Place("f.yaml", 2, 1)
    entries = root.child("b")
    assert entries is not None
    second = entries.child(1)
    assert second is not None
    assert second.keys["c"] == Place("f.yaml", 4, 6)
    assert second.child("c").place == Place("f.yaml", 4, 9)  # type: ignore[union-attr]


def test_bom_and_crlf_are_harmless(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: [x,\r\n y]\r\n")
    root = read_file(file)
    assert root.plain() == {"a": 1, "b": ["x", "y"]}
    assert (root.keys["a"].column, root.keys["b"].line) == (1, 2)


def test_aliases_may_be_used() -> None:
    assert parse("a: &x {n: 1}\nb: *x\n").plain() == {"a": {"n": 1}, "b": {"n": 1}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a.yaml:1:1: is empty; it must hold a mapping of keys (`fleetcast init` writes a scenario)"),
        (
            "# only a comment\n",
            "a.yaml:1:1: is empty; it must hold a mapping of keys (`fleetcast init` writes a scenario)",
        ),
        ("- 1\n", "a.yaml:1:1: must be a mapping (key: value) at the top, got a list"),
        ("word", "a.yaml:1:1: must be a mapping (key: value) at the top, got a single value"),
        ("a: 1\n\tb: 2\n", "a.yaml:2:1: not valid YAML: a tab; indent with spaces"),
        ("a:\n\t- b\n", "a.yaml:2:1: not valid YAML: a tab; indent with spaces"),
        ("a: b: c", "a.yaml:1:5: not valid YAML: an unexpected ':'; check the indentation, or quote the text"),
        ("a: [1, 2\nb: 3\n", "a.yaml:2:2: not valid YAML: a ',' or ']' is missing"),
        ('a: "x\n', "a.yaml:2:1: not valid YAML: a quote is opened and never closed"),
        ("a: 1\n---\nb: 2\n", "a.yaml:2:1: a second YAML document ('---'); a file holds one"),
        (
            "a: 1\nb: 2\na: 3\n",
            "a.yaml:3:1: the key 'a' stands twice in this mapping; the first is on line 1, column 1",
        ),
        ("a: {b: 1, b: 2}", "a.yaml:1:11: the key 'b' stands twice in this mapping; the first is on line 1, column 5"),
        ("a: *x", "a.yaml:1:4: the alias '*x' has no '&x' before it"),
        ("a: &x [*x]", "a.yaml:1:8: the alias '*x' contains itself"),
        ("a: &x {b: 1}\nc: {<<: *x}", "a.yaml:2:5: merge keys ('<<') are not YAML 1.2; write the keys out"),
        ("a: !!python/name:os.system x", "a.yaml:1:4: YAML tags such as !!python/name:os.system are not supported"),
        ("a: !thing {b: 1}", "a.yaml:1:4: YAML tags such as !thing are not supported"),
        ("? [1, 2]\n: 3\n", "a.yaml:1:3: a key must be a single word or number"),
        ("a: \x01\n", "a.yaml:1:4: the character U+0001 is not allowed in YAML"),
    ],
)
def test_one_clear_complaint(text: str, said: str) -> None:
    assert complaint(text) == said


def test_alias_bomb_is_refused_before_it_costs_memory() -> None:
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]" for i in range(1, 30)]
    assert "more than 32000 values" in complaint("\n".join(lines))


def test_depth_is_limited_with_and_without_aliases() -> None:
    assert "nested more than 40 levels" in complaint("a: " + "[" * 5000)
    lines = ["l0: &l0 [x]"] + [f"l{i}: &l{i} [*l{i - 1}]" for i in range(1, 3000)]
    assert "nested more than 40 levels" in complaint("\n".join(lines))


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nname: caf\xe9\n")
    (tmp_path / "wide.yaml").write_bytes("a: 1".encode("utf-16"))
    (tmp_path / "huge.yaml").write_bytes(b"#" * (4 * 2**20 + 1))
    (tmp_path / "folder.yaml").mkdir()
    said = {
        "latin.yaml": "latin.yaml:2:10: is not UTF-8 text (byte 0xe9); save it as UTF-8",
        "wide.yaml": "wide.yaml: is UTF-16 text; save it as UTF-8",
        "huge.yaml": "huge.yaml: is larger than 4 MiB; long tables belong in a CSV file beside it",
        "folder.yaml": "folder.yaml: is a folder, not a file",
        "none.yaml": "none.yaml: no such file",
        "nul\0.yaml": "nul\0.yaml: cannot be read: embedded null byte",
    }
    for name, words in said.items():
        with pytest.raises(ConfigError) as caught:
            read_file(Path(name))
        assert str(caught.value) == words


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("12", 12),
        ("no", "no"),
        ("a: b", "a: b"),
        ("data/#1.csv", "data/#1.csv"),
        ("", None),
        ("[1, two]", [1, "two"]),
        ("{kind: poisson, rate: 5/s}", {"kind": "poisson", "rate": "5/s"}),
        ("'12'", "12"),
        ("*star", "*star"),
    ],
)
def test_values_from_the_command_line(text: str, meant: object) -> None:
    assert parse_value(text, Place("--set")).plain() == meant


def test_a_lone_surrogate_is_refused() -> None:
    assert complaint("a: \ud800\n") == "a.yaml:1:4: is not valid Unicode text (a lone surrogate)"


def test_numbers_beyond_any_float_are_infinite_and_so_refused_later() -> None:
    assert parse(f"a: {'9' * 5000}\nb: 1e999").plain() == {"a": math.inf, "b": math.inf}
