"""Which code made something: a fingerprint of a module and of all that it imports from the same tree.

Rules kept:
- the imports are read from the source, also those inside functions; those under `if TYPE_CHECKING:` never run and do
  not count;
- a package's `__init__.py` counts where any of its modules does, since Python runs it first;
- comments, docstrings and layout do not change a fingerprint; whatever changes what the code does, does;
- the files in `templates` beside a module count with it: they are what it renders.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

TEMPLATES = "templates"
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def code_fingerprint(modules: Iterable[str], root: Path) -> str:
    """Return 16 hexadecimal digits of what `modules` and everything they import below `root` do.

    Args:
        modules: dotted names, such as `discern.learning.recipes`.
        root: the folder that holds their top-level packages.

    Raises:
        ModuleNotFoundError: there is no such module below `root`.
    """
    digest = hashlib.sha256()
    found = imported_modules(modules, root)
    for name, path in sorted(found.items()):
        digest.update(f"{name}\n{_statements(path, path.stat().st_mtime_ns)}\n".encode())
    for template in _templates(found.values()):
        content = hashlib.sha256(template.read_bytes()).hexdigest()
        digest.update(f"{template.relative_to(root).as_posix()}\n{content}\n".encode())
    return digest.hexdigest()[:16]


def _templates(modules: Iterable[Path]) -> list[Path]:
    """Return the files that lie in a folder `templates` beside any of the modules."""
    rooms = {module.parent for module in modules}
    return sorted(file for room in rooms for file in (room / TEMPLATES).rglob("*") if file.is_file())


def imported_modules(modules: Iterable[str], root: Path) -> dict[str, Path]:
    """Return the files of `modules` and of every module below `root` that they import, directly or through others.

    Raises:
        ModuleNotFoundError: one of `modules` is not below `root`.
    """
    found: dict[str, Path] = {}
    waiting = list(modules)
    for name in waiting:
        if _file_of(name, root) is None:
            raise ModuleNotFoundError(f"{root} holds no module {name!r}")
    while waiting:
        name = waiting.pop()
        path = _file_of(name, root)
        if path is None or name in found:
            continue
        found[name] = path
        waiting += _ancestors(name)
        waiting += _imports(path, path.stat().st_mtime_ns)
    return found


def _file_of(name: str, root: Path) -> Path | None:
    folder = root.joinpath(*name.split("."))
    for path in (folder / "__init__.py", folder.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def _ancestors(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]


@lru_cache(maxsize=2048)
def _imports(path: Path, _changed_at: int) -> tuple[str, ...]:
    """Return every dotted name that a file imports; some are functions or classes, and no file has their name."""
    names: list[str] = []
    for node in _running_nodes(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module)
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return tuple(names)


def _running_nodes(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        yield from _running_nodes(child)


@lru_cache(maxsize=2048)
def _statements(path: Path, _changed_at: int) -> str:
    """Return what a file does, without comments, docstrings and layout."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)
