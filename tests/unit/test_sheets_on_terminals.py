"""Tables of words on a terminal: brackets in names, more columns than there is room for, characters it has not."""

from __future__ import annotations

import pytest

from sim.cli.shared.plain import console, printable, spelled
from sim.cli.shared.sheets import fitting
from sim.report.tables.table import Table


def shown(sheet: Table, width: int) -> list[str]:
    made = console(width)
    made.width = width
    with made.capture() as held:
        made.print(fitting(sheet, made))
    return [line.rstrip() for line in held.get().splitlines()]


def test_a_table_of_forty_pools_is_told_in_parts_that_keep_every_number() -> None:
    pools = tuple(f"pool-{place:02}" for place in range(40))
    rows = (("cost a day", *(f"${place}.50" for place in range(40))), ("busy", *(f"{place}%" for place in range(40))))
    lines = shown(Table("Fleet", ("", *pools), rows), 80)
    assert all(len(line) <= 80 for line in lines)
    assert not any("…" in line for line in lines)
    words = " ".join(lines).split()
    assert [word for word in words if word.startswith("pool-")] == list(pools)
    assert [word for word in words if word.startswith("$")] == list(rows[0][1:])
    assert words.count("Fleet") == lines.count("") + 1 > 2


def test_brackets_are_no_markup() -> None:
    lines = shown(Table("[red]a", ("", "[/b]x"), (("[bold]r", "[1, 2]"),)), 80)
    assert lines[0].split() == ["[red]a", "[/b]x"]
    assert lines[1].split(maxsplit=1) == ["[bold]r", "[1, 2]"]


def test_characters_that_a_terminal_has_not_are_spelled() -> None:
    import codecs

    codecs.register_error("spelled", spelled)
    assert "TTFT ≤ 1 s ± 2 é".encode("ascii", errors="spelled") == b"TTFT <= 1 s +- 2 ?"
    assert printable("a\x1b[31mb\nc") == "a\\x1b[31mb\\nc"


@pytest.mark.parametrize("width", [1, 12])
def test_a_terminal_too_narrow_for_anything_is_no_error(width: int) -> None:
    assert shown(Table("T", ("", "one", "two"), (("row", "1", "2"),)), width)
