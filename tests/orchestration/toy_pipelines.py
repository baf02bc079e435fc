"""Pipelines with the names and the artifacts of ours, and next to no work in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from zenml import pipeline, step
from zenml.config.cache_policy import CachePolicy
from zenml.enums import ExecutionMode

ALWAYS = CachePolicy(include_step_code=False)


@step(enable_cache=False)
def fingerprint_source(now: str) -> Annotated[str, "source_fingerprint"]:
    """What the source is now."""
    return now


@step(enable_cache=False)
def previous_version(use_case: str, fingerprint: str, parameters: dict[str, Any]) -> Annotated[str, "previous_version"]:
    """As the real one."""
    from orchestration.artifact_lookup import version_before

    version = version_before(use_case, parameters, fingerprint)
    return "" if version is None else str(version)


@step(cache_policy=ALWAYS)
def ingest(
    source: dict[str, Any], splits: dict[str, Any], fingerprint: str, previous: str
) -> Annotated[str, "ingested"]:
    """A version is the text that names what it was made from."""
    return f"{source} {splits} {fingerprint}"


@step(cache_policy=ALWAYS)
def gate(version: str, passes: bool) -> Annotated[str, "dataset_version"]:
    """Let it through, or not."""
    if not passes:
        raise ValueError("the checks failed")
    return version


@step(cache_policy=ALWAYS)
def assemble(dataset: str) -> Annotated[str, "release_candidate"]:
    """A candidate is the text that names its version."""
    return f"release of {dataset}"


@pipeline(name="data_pipeline", enable_heartbeat=False, execution_mode=ExecutionMode.FAIL_FAST)
def data_pipeline(use_case: str, now: str, source: dict[str, Any], splits: dict[str, Any], passes: bool) -> None:
    """The wiring of the real one."""
    fingerprint = fingerprint_source(now)
    parameters = {"source": source, "splits": splits}
    previous = previous_version(use_case, fingerprint, parameters)
    gate(ingest(source, splits, fingerprint, previous), passes)


@pipeline(name="training_pipeline", enable_heartbeat=False)
def training_pipeline(dataset: Any) -> None:
    """The end of the real one."""
    assemble(dataset=dataset)


def run_data(
    use_case: str,
    now: str = "fingerprint",
    source: str = "photos",
    seed: int = 0,
    passes: bool = True,
    tags: Sequence[str] = (),
) -> Any:
    """Run the data pipeline tagged `use_case`; returns its run, completed or not."""
    from zenml.client import Client

    from orchestration.artifact_lookup import runs

    options = data_pipeline.with_options(tags=[use_case, *tags], parameters={"use_case": use_case})
    try:
        options(use_case=use_case, now=now, source={"path": source}, splits={"seed": seed}, passes=passes)
    except ValueError:
        if passes:
            raise
    newest = next(runs("data_pipeline", use_case, status=None))
    return Client().get_pipeline_run(newest.id)


def run_training(use_case: str) -> None:
    """Run the training pipeline on the newest version of `use_case`."""
    from orchestration.version_names import pinned

    version = pinned(None, use_case)
    training_pipeline.with_options(tags=[use_case])(dataset=version)


def artifact(run: Any, step_name: str, name: str) -> Any:
    """An artifact that a run gave out."""
    return run.steps[step_name].outputs[name][0]
