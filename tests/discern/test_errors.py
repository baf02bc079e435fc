from __future__ import annotations

from discern import errors
from discern.errors import DiscernError
from edge_runtime.errors import EdgeError, UserError


def test_errors_of_the_library_and_of_the_device_meet_in_one_root() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind is not UserError]
    assert len(kinds) == 6
    assert all(issubclass(kind, DiscernError) for kind in kinds)
    assert issubclass(DiscernError, UserError)
    assert issubclass(EdgeError, UserError)
    assert not issubclass(DiscernError, EdgeError)
