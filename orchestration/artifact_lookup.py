"""Which artifact of an earlier pipeline a run starts from: pinned when the run is compiled.

ZenML's `get_artifact_version(name)` takes the newest of any stack, and a cloud run would then read a laptop's path.
Here it is what the newest completed run of that pipeline and use case gave out *into the active artifact store*. The
run is looked for, not the artifact: a cached run gives out an old version, and it is still the newest answer.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from zenml.client import Client
from zenml.enums import ExecutionStatus
from zenml.models import ArtifactVersionResponse, PipelineRunResponse

from discern.errors import ConfigError

RUNS = 50  # a page


def newest_output(pipeline: str, artifact: str, use_case: str) -> ArtifactVersionResponse:
    """What the newest completed run gave out under the name `artifact`.

    Args:
        pipeline: the pipeline's name.
        artifact: the artifact's name.
        use_case: the tag of the run.

    Raises:
        ConfigError: there is none in the active artifact store.
    """
    for run in _runs(pipeline, use_case):
        for step in run.steps.values():
            for versions in step.outputs.values():
                for version in versions:
                    if version.artifact.name == artifact and _is_here(version):
                        return version
    raise _missing(pipeline, artifact, use_case)


def newest_input(pipeline: str, step: str, name: str, use_case: str) -> ArtifactVersionResponse:
    """What the newest completed run took in: the input `name` of its step `step`.

    Raises:
        ConfigError: there is none in the active artifact store.
    """
    for run in _runs(pipeline, use_case):
        for version in run.steps[step].inputs.get(name, []):
            if _is_here(version):
                return version
    raise _missing(pipeline, name, use_case)


def earlier(artifact: str, version: str) -> ArtifactVersionResponse:
    """A version of an artifact by its number, its name or its id.

    Raises:
        ConfigError: there is none, or it lies in another artifact store.
    """
    # Not `get_artifact_version`: inside a pipeline's body it promises to look later.
    client = Client()
    page = (
        client.list_artifact_versions(id=version)
        if _is_id(version)
        else client.list_artifact_versions(artifact=artifact, version=version)
    )
    if not page.items:
        raise ConfigError(
            f"There is no version {version!r} of the artifact {artifact!r}: `zenml artifact version list "
            f"--artifact {artifact}` tells which there are."
        )
    found = page.items[0]
    if found.artifact.name != artifact or not _is_here(found):
        stack = Client().active_stack_model.name
        raise ConfigError(
            f"{version!r} is no {artifact!r} in the artifact store of the stack {stack!r}: set the stack that made it, "
            "or name another."
        )
    return found


def version_before(use_case: str, asked: Mapping[str, Any]) -> ArtifactVersionResponse | None:
    """The dataset version that a data pipeline grows from: the newest one ingested for `use_case`, checked or not.

    One that was split in the same way comes before a newer one that was not, so that a try of other splits moves
    nothing. Where the newest run asked for the very same, what that one grew from: the answer is then in the cache.

    Args:
        use_case: the tag of the run.
        asked: parameters of the step `ingest`.
    """
    parameters = {name: value.model_dump() if isinstance(value, BaseModel) else value for name, value in asked.items()}
    newest = None
    for run in _runs("data_pipeline", use_case, status=None):
        step = run.steps.get("ingest")
        made = [version for version in (step.outputs.get("ingested", []) if step else []) if _is_here(version)]
        if not step or not made:
            continue
        given = step.config.parameters
        if newest is None and all(given.get(name) == value for name, value in parameters.items()):
            return next(iter(step.inputs.get("before", [])), None)
        if given.get("splits") == parameters["splits"]:
            return made[0]
        newest = newest or made[0]
    return newest


def _is_id(version: str) -> bool:
    try:
        UUID(version)
    except ValueError:
        return False
    return True


def _runs(
    pipeline: str, use_case: str, status: ExecutionStatus | None = ExecutionStatus.COMPLETED
) -> Iterator[PipelineRunResponse]:
    client = Client()
    for number in itertools.count(1):
        page = client.list_pipeline_runs(
            pipeline=pipeline,
            tags=use_case,
            status=status,
            sort_by="desc:created",
            size=RUNS,
            page=number,
        )
        for run in page.items:
            yield client.get_pipeline_run(run.id)
        if number >= page.total_pages:
            return


def _is_here(version: ArtifactVersionResponse) -> bool:
    return version.artifact_store_id == Client().active_stack.artifact_store.id


def _missing(pipeline: str, artifact: str, use_case: str) -> ConfigError:
    stack = Client().active_stack_model.name
    return ConfigError(
        f"The stack {stack!r} holds no {artifact!r} of a completed {pipeline} tagged {use_case!r}: run that pipeline "
        "on this stack first."
    )
