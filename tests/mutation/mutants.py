"""Mutants of a module: each with one condition flipped, one operator exchanged, one value or one refusal changed."""

from __future__ import annotations

import ast
import copy
import dataclasses
from collections.abc import Callable, Iterator
from types import CodeType

COMPARISONS = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}
SETS = {ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.Sub: ast.Add, ast.Add: ast.Sub}


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One change: where, what, and the tree with it. Said as `line: from -> to`."""

    line: int
    before: str
    after: str
    tree: ast.Module

    def __str__(self) -> str:
        return f"{self.line}: {self.before} -> {self.after}"


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of a source. Annotations and docstrings are nobody's check."""
    tree = ast.parse(source)
    for number, node in enumerate(ast.walk(tree)):
        for change in _changes(node):
            copied = copy.deepcopy(tree)
            target = next(each for position, each in enumerate(ast.walk(copied)) if position == number)
            before = ast.unparse(target).splitlines()[0][:90]
            replaced = change(target)
            if replaced is not target:
                _replace(copied, target, replaced)
            after = ast.unparse(replaced).splitlines()[0][:90]
            yield Mutant(getattr(node, "lineno", 0), before, after, ast.fix_missing_locations(copied))


def _changes(node: ast.AST) -> list[Callable[[ast.AST], ast.AST]]:
    if isinstance(node, ast.Compare):
        return [_other_comparison]
    if isinstance(node, ast.BoolOp):
        return [_other_junction]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return [lambda target: target.operand]  # type: ignore[attr-defined]
    if isinstance(node, ast.If | ast.IfExp):
        return [_with_test(True), _with_test(False)]
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return [_other_constant]
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in SETS:
        return [_other_set]
    if isinstance(node, ast.Raise):
        return [lambda target: ast.Pass(lineno=target.lineno)]  # type: ignore[attr-defined]
    if isinstance(node, ast.comprehension) and node.ifs:
        return [_without_condition]
    return []


def _other_comparison(node: ast.Compare) -> ast.AST:  # type: ignore[misc]
    node.ops = [COMPARISONS.get(type(op), type(op))() for op in node.ops]
    return node


def _other_junction(node: ast.BoolOp) -> ast.AST:  # type: ignore[misc]
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    return node


def _other_set(node: ast.BinOp) -> ast.AST:  # type: ignore[misc]
    node.op = SETS[type(node.op)]()
    return node


def _other_constant(node: ast.Constant) -> ast.AST:  # type: ignore[misc]
    node.value = not node.value
    return node


def _without_condition(node: ast.comprehension) -> ast.AST:  # type: ignore[misc]
    node.ifs = []
    return node


def _with_test(value: bool) -> Callable[[ast.AST], ast.AST]:
    def change(node: ast.If) -> ast.AST:  # type: ignore[misc]
        node.test = ast.Constant(value)
        return node

    return change  # type: ignore[return-value]


def _replace(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
            elif isinstance(value, list) and old in value:
                value[value.index(old)] = new


def functions(code: CodeType) -> dict[str, CodeType]:
    """The functions of a compiled module by their qualified names."""
    found: dict[str, CodeType] = {}
    for each in code.co_consts:
        if isinstance(each, CodeType):
            found[each.co_qualname] = each
            found.update(functions(each))
    return found
