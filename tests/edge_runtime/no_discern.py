"""A pytest plugin that proves that the device's tests need the device's package alone.

    python -m pytest tests/edge_runtime -p tests.edge_runtime.no_discern

With it, an import of the library, of ZenML or of the rooms above them fails.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder

ABSENT = frozenset(
    {"discern", "orchestration", "steps", "pipelines", "cli", "benchmarks", "stacks", "torch", "zenml", "fsspec"}
)


class _Absent(MetaPathFinder):
    """Finds none of the packages that a device does not have."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> None:
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"{name} is not on a device", name=name)


sys.meta_path.insert(0, _Absent())
