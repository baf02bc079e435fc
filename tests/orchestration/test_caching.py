"""A step's cache key covers the modules that it imports, no more and no less."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import grimp
import pytest
from zenml.steps import BaseStep

from discern.source_code import imported_modules
from orchestration.caching import REPOSITORY, code_of

ROOMS = ("discern", "edge_runtime", "orchestration", "steps")
STEPS = sorted(
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
    for path in (REPOSITORY / "steps").rglob("*.py")
    if path.name != "__init__.py"
)
NEVER_CACHED = {
    "steps.data.fingerprint_source",
    "steps.data.previous_version",
    "steps.enrolment.enrol",
    "steps.enrolment.publish",
    "steps.promotion.production_release",
    "steps.promotion.publish",
    "steps.training.fingerprint_weights",
    "steps.training.register",
}


@pytest.fixture(scope="module")
def graph() -> Any:
    return grimp.build_graph(*ROOMS, exclude_type_checking_imports=True, cache_dir=None)


def with_ancestors(modules: set[str]) -> set[str]:
    names = {".".join(name.split(".")[:length]) for name in modules for length in range(1, name.count(".") + 1)}
    return modules | names


@pytest.mark.parametrize("module", STEPS)
def test_the_key_covers_what_grimp_finds_imported(module: str, graph: Any) -> None:
    waiting, expected = [module], set[str]()
    while waiting:
        name = waiting.pop()
        if name not in expected:
            expected.add(name)
            waiting += [*graph.find_modules_directly_imported_by(name), *with_ancestors({name})]
    assert set(imported_modules([module], REPOSITORY)) == expected


@pytest.mark.parametrize("module", [name for name in STEPS if name not in NEVER_CACHED])
def test_every_cached_step_has_the_code_of_its_own_module_in_its_key(module: str) -> None:
    loaded = importlib.import_module(module)
    steps = [value for value in vars(loaded).values() if isinstance(value, BaseStep)]
    steps = [step for step in steps if step.resolve().module == module]
    assert steps
    for step in steps:
        policy = step.configuration.cache_policy
        assert policy is not None
        assert policy.cache_func is not None
        assert policy.cache_func.import_path == f"{module}.code"
        assert not policy.include_step_code
    assert loaded.code() == code_of(module)


def test_pages_of_people_do_not_train_anew() -> None:
    modules = set(imported_modules(["steps.training.teach", "steps.training.distil"], REPOSITORY))
    rooms = ("discern.quality", "discern.reports", "discern.releases", "discern.sources.pills", "discern.sources.voc")
    assert not [name for name in modules if name.startswith(rooms)]
    assert {"discern.learning.effective_rank", "edge_runtime.files", "edge_runtime.core.images"} <= modules


def test_the_repository_is_where_this_file_lies() -> None:
    assert Path(__file__).resolve().is_relative_to(REPOSITORY)
