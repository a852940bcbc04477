"""The rules of the house: short functions, few broad handlers, a sentence for everything public."""

import ast
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lean_magic"
FILES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted(Path(__file__).parent.rglob("test_*.py")) + sorted(
    Path(__file__).parent.rglob("*_contract.py")
)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def tree(path):
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text("utf-8"))


def shown(path):
    """Return a file's name for a message."""
    return path.relative_to(ROOT).as_posix()


def functions():
    """Yield (place, lines) of every function of the package; its docstring is not counted."""
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, FUNCTIONS):
                yield f"{shown(path)}:{node.lineno} {node.name}", length(node)


def length(node):
    """Return the lines of a function without its docstring."""
    lines = node.end_lineno - node.lineno + 1
    if ast.get_docstring(node) is not None:
        lines -= node.body[0].end_lineno - node.body[0].lineno + 1
    return lines


def test_functions_are_short():
    """Half of all functions have eight lines or fewer."""
    assert statistics.median(lines for _, lines in functions()) <= 8


def test_no_function_is_long():
    """No function has more than fifty lines."""
    assert [place for place, lines in functions() if lines > 50] == []


def test_no_file_is_long():
    """No file has more than 350 lines."""
    counts = {shown(path): len(path.read_text("utf-8").splitlines()) for path in FILES}
    assert {name: count for name, count in counts.items() if count > 350} == {}


def handlers():
    """Yield (place, name of what is caught or "") of the handlers that catch everything."""
    for path in FILES:
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.ExceptHandler):
                continue
            kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            names = {ast.unparse(kind) if kind is not None else "" for kind in kinds}
            for name in names & {"", "Exception", "BaseException"}:
                yield shown(path), name, node.lineno


def test_one_place_catches_everything():
    """Only the runner, once, catches any error of ours, so that the cell runs whatever happens."""
    assert [(path, name) for path, name, _ in handlers()] == [("lean_magic/runner.py", "Exception")], [
        *handlers()
    ]


def test_nothing_is_printed():
    """No line of the package prints; what is shown goes through the shell."""
    calls = [
        f"{shown(path)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert calls == []


def public(node, qualifier=""):
    """Yield (qualified name, node) of the public classes and functions under a node, not those in functions."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, (*FUNCTIONS, ast.ClassDef)) and not inner.name.startswith("_"):
            yield qualifier + inner.name, inner
            if isinstance(inner, ast.ClassDef):
                yield from public(inner, f"{qualifier}{inner.name}.")
        elif isinstance(inner, (ast.If, ast.Try)):
            yield from public(inner, qualifier)


def overloads(node):
    """Whether a function only declares one of the forms of another."""
    return any(isinstance(by, ast.Name) and by.id == "overload" for by in node.decorator_list)


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_everything_public_says_what_it_is(path):
    """Every module, and every public class and function, has a docstring; its overloads share it."""
    module = tree(path)
    bare = [name for name, node in public(module) if ast.get_docstring(node) is None and not overloads(node)]
    assert path.name == "_version.py" or ast.get_docstring(module), "the module has no docstring"
    assert bare == []


@pytest.mark.parametrize("path", TESTS, ids=shown)
def test_every_test_says_its_promise(path):
    """Every test has a docstring: the promise it keeps."""
    tests = [
        node for node in ast.walk(tree(path)) if isinstance(node, FUNCTIONS) and node.name.startswith("test_")
    ]
    assert [node.name for node in tests if not ast.get_docstring(node)] == []
