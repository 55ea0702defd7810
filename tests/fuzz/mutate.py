"""Inputs that are wrong in the ways of their format: what bits turned at random seldom come to."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from tests.fuzz.reader import Shape

NUMBERS = (
    *("0", "-1", "1", "-0.0", "1e308", "1e309", "-1e309", "1e-320", "5e-324", "NaN", "Infinity", "-Infinity", ".nan"),
    *(".inf", "9" * 30, "-" + "9" * 30, "9" * 350, "9" * 5000, "1" + "0" * 400, "2147483648", "9223372036854775808"),
    *("4294967296", "0.1", "1_000", "0x10", "0o17", "010", "1e3", "١٢٣", "１２", "1,5", "1e400", "0.999999999999"),
)
TEXTS = (
    *(
        "",
        " ",
        "null",
        "~",
        "true",
        "no",
        "12:30",
        "2026-01-01",
        "2026-02-30",
        "9999-12-31T23:59:59+14:00",
        "0001-01-01",
    ),
    *("90s", "5m", "-5m", "1e30s", "5/s", "1e308/s", "80GiB", "$2.99/h", "€3/h", "95%", "101%", "4k", "1h30m", "1y"),
    *("poisson", "fixed", "hpa", "slots", "batching", "inf", "nan", "None", "a.b.c", "../../etc/passwd", "/dev/zero"),
    *("/dev/stdin", "/proc/self/mem", "~root/x", "x" * 300, "os:system", "subprocess:Popen", "antigravity:x"),
    *(
        "<script>alert(1)</script>",
        "{{7*7}}",
        "{% raw %}",
        "=1+1",
        "@x",
        "\u202eabc",
        "\ud800",
        "\0",
        "\x1b[31m",
        "\ufeff",
    ),
    *("e\u0301", "ﬁ", "İ", "ß", "\u2028", "😀", "[red]x[/red]", "%s%s%n", "$(id)", "`id`", "Ǆ", "\u0130" * 9),
)
YAML = (
    *(
        "&a [*a]",
        "*a",
        "&a {x: *a}",
        "<<: *a",
        "!!python/object/apply:os.system [id]",
        "!!binary aGk=",
        "!!int x",
        "? [a]\n: b",
    ),
    *(
        "!!set {a, b}",
        "!!timestamp 2026-01-01",
        "%YAML 1.1\n---\n",
        "---\n...\n---",
        "|\n  a\n b",
        ">-\n a",
        "{a: 1, a: 2}",
    ),
    *(
        "[" * 60,
        "{a: " * 60,
        "- " * 60,
        "\t",
        "'",
        '"',
        "#",
        "? ",
        ": ",
        "&a &b x",
        "!",
        "!<x> y",
        "\r\n",
        "\r",
        "\x85",
        "\u2029",
    ),
    "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
    "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
)
CSV = (",", '"', '""', "\n", "\r\n", "\r", "\0", ";", "\t", '"a\nb"', "\ufeff", ",,,,", "\n\n", " ", "'", "\x1a")
JSON = (
    "{",
    "}",
    "[",
    "]",
    '"',
    ",",
    ":",
    "[" * 1200,
    '{"a":' * 1200,
    "\\u0000",
    "\\ud800",
    "//",
    "\n",
    "\n\n",
    '{"a":1,"a":2}',
)
WORDS = {"yaml": (*NUMBERS, *TEXTS, *YAML), "json": (*NUMBERS, *TEXTS, *JSON), "csv": (*NUMBERS, *TEXTS, *CSV)}


def mutated(data: bytes, shape: Shape, rng: random.Random, longest: int) -> bytes:
    """The input with one to four things wrong with it."""
    for _ in range(rng.choice((1, 1, 1, 1, 2, 3))):
        data = _HOW[shape](data, rng) if rng.random() < 0.85 else _of_bytes(data, rng)
    return data[:longest]


def _word(shape: str, rng: random.Random) -> str:
    return rng.choice(WORDS.get(shape, (*NUMBERS, *TEXTS)))


def _of_bytes(data: bytes, rng: random.Random) -> bytes:
    """A part of it gone, doubled, moved or overwritten."""
    if not data:
        return rng.randbytes(4)
    at, to = sorted(rng.randrange(len(data) + 1) for _ in "12")
    to = min(to, at + rng.choice((1, 1, 2, 8, 64, 4096)))
    kind = rng.randrange(5)
    if kind == 0:
        return data[:at] + data[to:]
    if kind == 1:
        return data[:to] + data[at:to] * rng.choice((1, 2, 50)) + data[to:]
    if kind == 2:
        return data[:at] + rng.randbytes(to - at) + data[to:]
    if kind == 3:
        return data[:at] + bytes([data[min(at, len(data) - 1)] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
    return (
        data[:at]
        + rng.choice((b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b"\xed\xa0\x80", b"\n", b"\r"))
        + data[at:]
    )


def _of_lines(data: bytes, rng: random.Random) -> bytes:
    """YAML, line by line: another value, another key, another depth, a line twice, gone or elsewhere."""
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    line = lines[at]
    key, colon, _ = line.partition(b": ")
    kind = rng.randrange(9)
    word = _word("yaml", rng).encode("utf-8", "surrogatepass")
    if kind <= 2:
        lines[at] = (key + b": " if colon else b" " * rng.randrange(6)) + word
    elif kind == 3:
        lines[at] = b" " * (len(line) - len(line.lstrip()) + rng.choice((-2, 2, 1))) + line.lstrip()
    elif kind == 4:
        lines.insert(rng.randrange(len(lines) + 1), line)
    elif kind == 5:
        del lines[at]
    elif kind == 6:
        indent = line[: len(line) - len(line.lstrip())]
        lines[at] = indent + word + b": " + line.partition(b": ")[2]
    elif kind == 7:
        return _in_brackets(data, rng, word)
    else:
        lines.insert(at, word)
    return b"\n".join(lines)


def _in_brackets(data: bytes, rng: random.Random, word: bytes) -> bytes:
    """A value of a flow mapping or list."""
    spots = [at for at, byte in enumerate(data) if byte in b":,[{"]
    if not spots:
        return data + word
    at = rng.choice(spots) + 1
    end = min(
        (found for found in (data.find(stop, at) for stop in (b",", b"}", b"]", b"\n")) if found >= 0), default=at
    )
    return data[:at] + b" " + word + data[end:]


def _of_json(data: bytes, rng: random.Random) -> bytes:
    """A value of a document (of one line of many) replaced, taken out, wrapped or doubled."""
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    whole = rng.random() < 0.5
    try:
        found = json.loads(data if whole else lines[at])
    except (ValueError, RecursionError):
        return _spliced(data, "json", rng)
    found = _changed(found, rng)
    text = json.dumps(found).encode()
    if rng.random() < 0.15:
        text = _spliced(text, "json", rng)
    if whole:
        return text
    lines[at] = text
    return b"\n".join(lines)


def _changed(value: Any, rng: random.Random) -> Any:
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, below in items:
            places.append((node, key))
            if len(places) < 3000:
                walk(below)

    walk(value)
    if not places:
        return _odd(rng)
    node, key = rng.choice(places)
    kind = rng.randrange(6)
    if kind <= 2:
        node[key] = _odd(rng)
    elif kind == 3:
        del node[key]
    elif kind == 4:
        node[key] = [node[key]] * rng.choice((1, 2, 30))
    elif isinstance(node, dict):
        node[_word("json", rng)] = node.pop(key)
    else:
        node.insert(key, node[key])
    return value


def _odd(rng: random.Random) -> Any:
    kind = rng.randrange(8)
    if kind == 0:
        return rng.choice((None, True, False, [], {}, [[]], [None], {"a": {}}, [1, "a"], ""))
    if kind <= 3:
        return rng.choice(
            (0, -1, 1, 2**31, 2**63, 2**64, 10**30, 10**400, -0.0, 1e308, 5e-324, float("nan"), float("inf"), 0.5, 1e15)
        )
    return _word("json", rng)


def _of_cells(data: bytes, rng: random.Random) -> bytes:
    """A cell replaced, a row twice, gone or elsewhere, a column named otherwise."""
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    kind = rng.randrange(6)
    word = _word("csv", rng).encode("utf-8", "surrogatepass")
    if kind <= 2:
        cells = lines[at].split(b",")
        cells[rng.randrange(len(cells))] = word
        lines[at] = b",".join(cells)
    elif kind == 3:
        lines.insert(rng.randrange(len(lines) + 1), lines[at])
    elif kind == 4:
        del lines[at]
    else:
        return _spliced(data, "csv", rng)
    return b"\n".join(lines)


def _spliced(data: bytes, shape: str, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + _word(shape, rng).encode("utf-8", "surrogatepass") + data[at + rng.choice((0, 0, 1, 5)) :]


_HOW: dict[Shape, Callable[[bytes, random.Random], bytes]] = {
    "yaml": _of_lines,
    "json": _of_json,
    "csv": _of_cells,
    "line": lambda data, rng: _spliced(data, "yaml", rng),
    "bytes": _of_bytes,
}
