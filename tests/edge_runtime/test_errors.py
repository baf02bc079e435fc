from __future__ import annotations

import pytest

from edge_runtime import errors
from edge_runtime.errors import EdgeError, UserError, first_line


def test_every_error_of_the_device_has_the_one_root() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) == 6
    assert all(issubclass(kind, UserError) for kind in kinds)
    assert all(issubclass(kind, EdgeError) for kind in kinds if kind is not UserError)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("the shape is wrong.\nTraceback of another language"), "the shape is wrong"),
        (ValueError("  \n"), "ValueError"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_another_librarys_error_becomes_one_line(error: Exception, line: str) -> None:
    assert first_line(error) == line
