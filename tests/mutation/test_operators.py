"""Mutants are what they are said to be, and reach every holder of a function."""

import ast
import functools
import importlib.util

import pytest

from tests.mutation import operators
from tests.mutation.living import Living
from tests.mutation.sample import drawn, files, score

SOURCE = '''
"""A module."""
LIMIT = 3


def kept(waiting: int, seats: int) -> bool:
    """Whether there is room: 5 of 7."""
    assert waiting >= 0, "fewer than 0"
    if waiting < LIMIT and not seats:
        return True
    return waiting + 1 <= seats


class Line:
    @property
    def length(self) -> int:
        found = {"n": 0}
        found["n"] += min(4, 2)
        return found["n"]
'''


def test_what_is_changed_and_what_is_not():
    tree = ast.parse(SOURCE)
    assert [(change.unit, change.line, change.tells) for change in operators.changes(tree)] == [
        ("kept", 9, "if waiting < LIMIT and (not seats) -> if True"),
        ("kept", 9, "if waiting < LIMIT and (not seats) -> if False"),
        ("kept", 9, "waiting < LIMIT and (not seats) -> waiting < LIMIT or not seats"),
        ("kept", 9, "waiting < LIMIT -> waiting <= LIMIT"),
        ("kept", 9, "not seats -> seats"),
        ("kept", 10, "return True -> return not True"),
        ("kept", 10, "True -> False"),
        ("kept", 11, "return waiting + 1 <= seats -> return not waiting + 1 <= seats"),
        ("kept", 11, "waiting + 1 <= seats -> waiting + 1 < seats"),
        ("kept", 11, "waiting + 1 -> waiting - 1"),
        ("kept", 11, "1 -> 2"),
        ("Line.length", 17, "0 -> 1"),
        ("Line.length", 18, "found['n'] += min(4, 2) -> found['n'] -= min(4, 2)"),
        ("Line.length", 18, "found['n'] += min(4, 2) -> pass"),
        ("Line.length", 18, "min -> max"),
        ("Line.length", 18, "4 -> 5"),
        ("Line.length", 18, "2 -> 3"),
        ("Line.length", 19, "return found['n'] -> return found['n'] + 1"),
    ]


def test_a_change_is_undone():
    tree = ast.parse(SOURCE)
    before = ast.dump(tree)
    for change in operators.changes(tree):
        change.apply()
        assert ast.dump(tree) != before
        change.undo()
        assert ast.dump(tree) == before


@pytest.fixture
def module(tmp_path):
    path = tmp_path / "judged.py"
    path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("judged", path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return path, found


def change_to(tree, tells):
    return next(change for change in operators.changes(tree) if change.tells == tells)


def test_functions_that_others_hold_change_too(module):
    path, judged = module
    held = functools.partial(judged.kept, 5)
    tree = ast.parse(path.read_text())
    living = Living({path: tree})
    assert held(6) is True
    assert living.change(path, change_to(tree, "waiting + 1 <= seats -> waiting + 1 < seats"))
    assert held(6) is False
    assert judged.Line().length == 2
    assert living.change(path, change_to(tree, "min -> max"))
    assert judged.Line().length == 4


def test_probes_mark_the_statements_that_have_run(module):
    path, judged = module
    tree = ast.parse(path.read_text())
    lines = [each.node.lineno for each in operators.statements(tree)]
    marks = Living({path: tree}).probe()
    assert judged.kept(5, 6)
    assert [line for line, mark in zip(lines, marks, strict=True) if mark] == [7, 8, 9, 11]


def test_a_sample_has_some_of_every_file_and_a_larger_one_contains_it():
    changes = {name: [object()] * (40 * at + 1) for at, name in enumerate("abc")}
    small, large = ({mutant.name for mutant in drawn(size, 7, changes)} for size in (12, 60))
    assert small < large
    assert {name.partition("#")[0] for name in small} == {"a", "b", "c"}
    assert len(drawn(None, 7, changes)) == sum(map(len, changes.values()))


def test_the_score_counts_what_no_test_runs_as_missed():
    found = [{"status": status} for status in ("caught", "hangs", "survives", "no test", "cannot be made")]
    assert score(found) == "2 of 4 caught: 50.0% (95 % interval 15.0% to 85.0%)"


def test_all_of_model_fleet_and_result_is_mutated_but_the_door_to_numba():
    names = files()
    assert {name.split("/")[1] for name in names} == {"model", "fleet", "result"}
    assert "sim/model/slots.py" in names
    assert "sim/model/compiled.py" not in names
