"""Cache keys that know the library.

ZenML's key holds a step's own source, comments included, and not the helpers that it calls: a changed comment would
train anew, and a changed helper would give stale results. Here the key is what the step's module and everything it
imports do. Each module with a cached step says:

    def code() -> str:
        return code_of(__name__)

    @step(cache_policy=by_code(code))
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zenml.config.cache_policy import CachePolicy

from discern.source_code import code_fingerprint

REPOSITORY = Path(__file__).resolve().parent.parent


def code_of(module: str) -> str:
    """Return the fingerprint of a module of this repository and of all that it imports from it.

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    return code_fingerprint([module], REPOSITORY)


def by_code(code: Callable[[], str]) -> CachePolicy:
    """Return a cache policy whose key holds parameters, inputs, and what `code` returns when a run is planned.

    Args:
        code: a function of the step's own module; ZenML finds it again by its name.
    """
    return CachePolicy(include_step_code=False, cache_func=code)
