"""Changed code put into functions that are alive: no module is loaded again, and whoever holds one holds the change.

All of it is plain Python: what Numba has compiled does not change, so nothing may be compiled (NUMBA_DISABLE_JIT=1).
"""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType

import numpy as np

from tests.mutation import operators

Key = tuple[str, str, int]
"""A file, the qualified name of a function in it, and the line where its code begins."""


class Living:
    """The functions of some files, as they are in this process."""

    def __init__(self, trees: dict[Path, ast.Module]) -> None:
        self.trees = trees
        names = {str(path) for path in trees}
        self._functions: dict[Key, list[FunctionType]] = {}
        for function in gc.get_objects():
            if isinstance(function, FunctionType) and function.__code__.co_filename in names:
                code = function.__code__
                key = (code.co_filename, code.co_qualname, code.co_firstlineno)
                self._functions.setdefault(key, []).append(function)

    def change(self, path: Path, change: operators.Change) -> bool:
        """Put a mutant in the place of what it changes; False: it cannot be put there."""
        change.apply()
        code = compile(self.trees[path], str(path), "exec")
        change.undo()
        key = (str(path), change.unit, change.first_line)
        return self._put(key, _codes(code)[key])

    def probe(self) -> bytearray:
        """Have every statement leave a mark. Returns the marks: file by file, a byte a statement."""
        marks = bytearray(sum(len(list(operators.statements(tree))) for tree in self.trees.values()))
        number = 0
        for path, tree in self.trees.items():
            for statement in list(operators.statements(tree)):
                mark = ast.parse(f"__marks__[{number}] = 1").body[0]
                for node in ast.walk(mark):
                    ast.copy_location(node, statement.node)
                place = next(at for at, node in enumerate(statement.block) if node is statement.node)
                statement.block.insert(place, mark)
                number += 1
            for key, code in _codes(compile(tree, str(path), "exec")).items():
                for function in self._functions.get(key, ()):
                    function.__globals__["__marks__"] = marks
                self._put(key, code)
        return marks

    def first_marks(self) -> dict[Path, int]:
        """Where the marks of each file begin."""
        sizes = [len(list(operators.statements(tree))) for tree in self.trees.values()]
        return dict(zip(self.trees, (np.cumsum(sizes) - sizes).tolist(), strict=True))

    def _put(self, key: Key, code: CodeType) -> bool:
        functions = self._functions.get(key, [])
        try:
            for function in functions:
                function.__code__ = code
        except ValueError:  # it no longer uses a variable from outside
            return False
        return bool(functions)


def _codes(code: CodeType) -> dict[Key, CodeType]:
    """The code of every function in a module's or class's code, not of those within functions."""

    def inside(code: CodeType) -> Iterator[CodeType]:
        for inner in code.co_consts:
            if isinstance(inner, CodeType):
                yield inner
                if not inner.co_flags & 0x2:  # CO_NEWLOCALS: a function's; a class body has none
                    yield from inside(inner)

    return {(each.co_filename, each.co_qualname, each.co_firstlineno): each for each in inside(code)}
