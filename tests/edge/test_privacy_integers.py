"""What stands between frame and release computes with integers, and says nothing of pixels."""

import ast
import logging
from pathlib import Path

import pytest

import edge.privacy
from edge import frame

ROOM = Path(edge.privacy.__file__).parent
FILES = sorted(path.relative_to(ROOM).with_suffix("").as_posix() for path in ROOM.rglob("*.py"))
FRACTIONS = {"plan"}
"""Divides fractions, which are exact."""
FLOATING = {"float", "mean", "average", "std", "var", "sqrt", "exp", "log", "log1p", "expm1", "divide", "true_divide"}
FLOATING |= {"float16", "float32", "float64", "floating", "rint", "round", "random", "uniform", "math_log"}


def faults(source: str) -> list[str]:
    """Every place where a program computes with floats."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            found.append(f"{node.lineno}: {node.value}")
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            found.append(f"{node.lineno}: division")
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        if name in FLOATING:
            found.append(f"{node.lineno}: {name}")
    return found


def test_the_files_of_the_room_are_looked_at() -> None:
    assert {"window", "noise", "sampling/sampler", *FRACTIONS} < set(FILES)


@pytest.mark.parametrize("name", [name for name in FILES if name not in FRACTIONS])
def test_no_float_stands_between_frame_and_release(name: str) -> None:
    assert not faults((ROOM / f"{name}.py").read_text(encoding="utf-8"))


def test_the_plan_divides_fractions_only() -> None:
    divisions = [line for line in faults((ROOM / "plan.py").read_text(encoding="utf-8")) if "division" in line]
    assert faults((ROOM / "plan.py").read_text(encoding="utf-8")) == divisions
    assert len(divisions) == 5, "each divides by a cost, an ε or by the exposure under a Fraction"


@pytest.mark.parametrize("source", ["x = 0.5", "x = a / b", "x /= 2", "np.mean(a)", "a.mean()", "math.exp(1)", "1j"])
def test_the_search_for_floats_finds_them(source: str) -> None:
    assert faults(source)


def test_the_room_and_the_frame_log_nothing() -> None:
    for path in [*ROOM.rglob("*.py"), Path(frame.__file__)]:
        names = {
            node.id for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Name)
        }
        assert not names & {"logging", "log", "print", "warnings", "open"}, path.name
    assert not [name for name in logging.root.manager.loggerDict if name.startswith("edge.privacy")]
