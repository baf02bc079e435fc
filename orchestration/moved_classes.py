"""Artifacts that earlier code stored still load: ZenML keeps the import path of their class, and classes have moved.

Importing this package installs a finder for the modules of then. Such a module holds the classes of today under their
names of then, each imported when it is asked for. A class that was renamed inside a module that still exists keeps its
old name there as an alias.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# Every class of which an artifact was stored, and every materializer of ours: path of then -> path of today.
MOVED = {
    "discern.data.checks.model.CheckReport": "discern.quality.checks.model.CheckReport",
    "discern.data.manifest.DatasetVersion": "discern.datasets.manifest.DatasetVersion",
    "discern.evaluation.comparison.Verdict": "discern.evaluation.gates.PromotionDecision",
    "edge_runtime.release.Release": "edge_runtime.core.release.Release",
    "steps.materializers.DatasetVersionMaterializer": "orchestration.materializers.DatasetVersionMaterializer",
    "steps.materializers.EmbeddingModelMaterializer": "orchestration.materializers.TorchEmbedderMaterializer",
    "steps.materializers.ReleaseMaterializer": "orchestration.materializers.ReleaseMaterializer",
}


class MovedModules(MetaPathFinder, Loader):
    """Finds modules that exist no more, as far as stored artifacts name classes of them.

    Args:
        moved: import path of a class then -> its import path today.
    """

    def __init__(self, moved: Mapping[str, str]) -> None:
        self._classes: dict[str, dict[str, str]] = {}
        for old, new in moved.items():
            module, _, name = old.rpartition(".")
            self._classes.setdefault(module, {})[name] = new

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002  importlib's interface
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Return a spec for a module of then, or for a package that held one."""
        is_package = any(module.startswith(f"{fullname}.") for module in self._classes)
        if fullname not in self._classes and not is_package:
            return None
        return ModuleSpec(fullname, self, is_package=is_package)

    def exec_module(self, module: ModuleType) -> None:
        """Let attributes of the module be today's classes."""
        classes = self._classes.get(module.__name__, {})

        def attribute(name: str) -> Any:
            if name not in classes:
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            new_module, _, new_name = classes[name].rpartition(".")
            return getattr(importlib.import_module(new_module), new_name)

        module.__dict__["__getattr__"] = attribute


def install() -> None:
    """Add the finder behind Python's own, once: a module that exists is never hidden."""
    if not any(isinstance(finder, MovedModules) for finder in sys.meta_path):
        sys.meta_path.append(MovedModules(MOVED))
