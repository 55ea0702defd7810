"""What a mutant is: one small change inside a function, of a kind that people make by mistake.

Changed are comparisons, arithmetic, constants, conditions, and statements that are left out. Left alone are text (names
of fields, messages), annotations, assertions, what is raised, and whatever runs only when a module is loaded.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

FLIPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
_PAIRS = (
    ("min", "max"),
    ("any", "all"),
    ("minimum", "maximum"),
    ("floor", "ceil"),
    ("bisect_left", "bisect_right"),
    ("left", "right"),
)
OTHER = {one: other for pair in _PAIRS for one, other in (pair, pair[::-1])}
"""Names that are taken for each other, and the sides of a search."""


@dataclass(frozen=True)
class Change:
    """One mutant of a file."""

    unit: str
    """The function or method that it is in, outermost, by its qualified name."""
    first_line: int
    """Where the code of that begins: two may have one name, as a property and its setter have."""
    statement: int
    """Number of the statement that it is in."""
    line: int
    parent: Any
    field: str
    index: int | None
    old: ast.AST
    new: ast.AST

    @property
    def tells(self) -> str:
        """Before and after, in one line."""
        return f"{_short(self.old)} -> {_short(self.new)}"

    def apply(self) -> None:
        """Put it into the tree."""
        self._put(ast.fix_missing_locations(ast.copy_location(self.new, self.old)))

    def undo(self) -> None:
        """Take it out again."""
        self._put(self.old)

    def _put(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


@dataclass(frozen=True)
class Statement:
    """A place for a probe: where it stands, and in which unit."""

    unit: str
    block: list[ast.stmt]
    node: ast.stmt


def changes(tree: ast.Module) -> list[Change]:
    """Every mutant of a file, in the order of its text."""
    number_of = {id(each.node): number for number, each in enumerate(statements(tree))}
    found = []
    for name, unit in units(tree):
        first = min((decorator.lineno for decorator in unit.decorator_list), default=unit.lineno)
        inner = [node for node in ast.walk(unit) if isinstance(node, ast.FunctionDef) and node is not unit]
        not_its_own = {id(node) for function in inner for node in ast.walk(function)}
        for at, parent, field, index, node in _places(unit):
            if isinstance(node, _MUTABLE):
                returns = unit.returns if id(node) not in not_its_own else None
                for new in _alternatives(node, parent, returns):
                    line = getattr(node, "lineno", at.lineno)
                    found.append(Change(name, first, number_of[id(at)], line, parent, field, index, node, new))
    return found


def units(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Functions and methods that are not inside of others, by qualified name."""

    def inside(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.FunctionDef]]:
        for node in body:
            if isinstance(node, ast.FunctionDef):
                yield prefix + node.name, node
            elif isinstance(node, ast.ClassDef):
                yield from inside(node.body, f"{prefix}{node.name}.")

    return inside(tree.body, "")


def statements(tree: ast.Module) -> Iterator[Statement]:
    """All statements inside of units, in one order."""
    for name, unit in units(tree):
        for owner in ast.walk(unit):
            for field in ("body", "orelse", "finalbody"):
                block = getattr(owner, field, None)
                if isinstance(block, list):
                    yield from (Statement(name, block, node) for node in block)


_MUTABLE = (ast.expr, ast.stmt)
_SKIPPED = (ast.Assert, ast.JoinedStr, ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)


def _places(unit: ast.FunctionDef) -> Iterator[tuple[ast.stmt, ast.AST, str, int | None, ast.AST]]:
    """Nodes of a unit that may be changed, each with its statement and the place where it hangs."""

    def below(at: ast.stmt, parent: ast.AST) -> Iterator[tuple[ast.stmt, ast.AST, str, int | None, ast.AST]]:
        for field, value in ast.iter_fields(parent):
            if field in ("annotation", "returns", "decorator_list", "args", "type_params") and not isinstance(
                parent, ast.Call
            ):
                continue
            for index, node in enumerate(value) if isinstance(value, list) else ((None, value),):
                if not isinstance(node, ast.AST):
                    continue
                inner = node if isinstance(node, ast.stmt) else at
                if isinstance(node, ast.FunctionDef):
                    yield from below(inner, node)
                if isinstance(node, _SKIPPED) or _is_text(node):
                    continue
                yield inner, parent, field, index, node
                if not isinstance(node, ast.Raise):
                    yield from below(inner, node)

    return below(unit, unit)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _alternatives(node: ast.AST, parent: ast.AST, returns: ast.expr | None) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(left=left, ops=[op], comparators=others):
            yield ast.Compare(left, [FLIPPED[type(op)]()], others)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in FLIPPED and not (_text(left) or _text(right)):
            yield ast.BinOp(left, FLIPPED[type(op)](), right)
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(FLIPPED[type(op)](), values)
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert(), operand=operand):
            yield operand
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield ast.Constant(value + 1)
        case ast.Constant(value=str() as value) if value in OTHER:
            yield ast.Constant(OTHER[value])
        case ast.Name(id=name, ctx=ast.Load()) if name in OTHER and isinstance(parent, ast.Call):
            yield ast.Name(OTHER[name], ast.Load())
        case ast.Attribute(value=value, attr=name, ctx=ast.Load()) if name in OTHER and isinstance(parent, ast.Call):
            yield ast.Attribute(value, OTHER[name], ast.Load())
        case ast.IfExp(body=body, orelse=orelse):
            yield body
            yield orelse
        case ast.If(test=test, body=body, orelse=orelse) if ast.unparse(test) != "TYPE_CHECKING":
            yield ast.If(ast.Constant(True), body, orelse)
            yield ast.If(ast.Constant(False), body, orelse)
        case ast.AugAssign(target=target, op=op, value=value):
            if type(op) in FLIPPED:
                yield ast.AugAssign(target, FLIPPED[type(op)](), value)
            yield ast.Pass()
        case ast.Assign(targets=[ast.Subscript() | ast.Attribute(), *_]):
            yield ast.Pass()
        case ast.Expr(value=ast.Call()) | ast.Raise() | ast.Break() | ast.Continue():
            yield ast.Pass()
        case ast.Return(value=ast.expr() as value):
            if isinstance(returns, ast.Name) and returns.id == "bool":
                yield ast.Return(ast.UnaryOp(ast.Not(), value))
            elif isinstance(returns, ast.Name) and returns.id in ("int", "float"):
                yield ast.Return(ast.BinOp(value, ast.Add(), ast.Constant(1)))


def _text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _short(node: ast.AST) -> str:
    if isinstance(node, ast.If):
        return f"if {ast.unparse(node.test)}"
    return ast.unparse(ast.fix_missing_locations(node)).split("\n")[0]
