"""Which artifact of an earlier pipeline a run starts from: pinned when the run is compiled.

ZenML's `get_artifact_version(name)` takes the newest of any stack, and a cloud run would then read a laptop's path.
Here it is what the newest completed run of that pipeline and use case gave out *into the active artifact store*. The
run is looked for, not the artifact: a cached run gives out an old version, and it is still the newest answer.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

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


def _runs(pipeline: str, use_case: str) -> Iterator[PipelineRunResponse]:
    client = Client()
    for number in itertools.count(1):
        page = client.list_pipeline_runs(
            pipeline=pipeline,
            tags=use_case,
            status=ExecutionStatus.COMPLETED,
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
