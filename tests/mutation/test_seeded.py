"""The seeded bugs still are bugs of today's sources. That each is caught is shown by `make mutate`."""

import ast

import pytest

from tests.mutation import gate, patches
from tests.mutation.patches import ROOT, Patch, StaleError

BUGS = patches.seeded()


def test_there_are_ten():
    assert [bug.name.split("-")[0] for bug in BUGS] == [f"{number:02}" for number in range(1, 11)]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_it_applies_and_changes_what_the_code_does(bug: Patch):
    changed = bug.changed(ROOT)
    assert changed
    assert len(bug.tells.split()) > 10, "says what it does to a user's numbers"
    for name, text in changed.items():
        compile(text, name, "exec")
        assert ast.dump(ast.parse(text)) != ast.dump(ast.parse((ROOT / name).read_text())), f"only words, in {name}"


def test_a_patch_that_no_longer_fits_says_so(tmp_path):
    bug = BUGS[0]
    (name,) = bug.hunks
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text((ROOT / name).read_text().replace("lines.append(", "lines.put("))
    with pytest.raises(StaleError, match=r"01-lifo-pop\.patch: sim/model/queues\.py has changed around `lines\.append"):
        bug.changed(tmp_path)


def test_lines_that_have_moved_are_found(tmp_path):
    bug = BUGS[0]
    (name,) = bug.hunks
    (tmp_path / name).parent.mkdir(parents=True)
    moved = "# one line more\n" + (ROOT / name).read_text()
    (tmp_path / name).write_text(moved)
    assert bug.changed(tmp_path)[name] == "# one line more\n" + bug.changed(ROOT)[name]


def test_the_gates_order_of_tests_is_there():
    for test in gate.ORDER:
        name, _, function = test.partition("::")
        assert f"def {function}" in (ROOT / name).read_text()
