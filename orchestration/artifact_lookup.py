"""Which artifact of an earlier pipeline a run starts from.

ZenML's `get_artifact_version(name)` takes the newest of any stack, and a cloud run would then read a laptop's path.
Here it is what the newest completed run of that pipeline and use case gave out *into the active artifact store*. The
run is looked for, not the artifact: a cached run gives out an old version, and it is still the newest answer.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from zenml.client import Client
from zenml.enums import ExecutionStatus
from zenml.models import ArtifactVersionResponse, PipelineRunResponse, StepRunResponse
from zenml.utils.pagination_utils import depaginate_stream

from discern.errors import ConfigError
from orchestration.former_keys import renamed

PAGE = 100  # runs, steps or versions that ZenML is asked for at once

# By which a person runs what makes an artifact.
COMMANDS = {"data_pipeline": "discern data run", "training_pipeline": "discern train"}


def runs(
    pipeline: str, use_case: str, status: ExecutionStatus | None = ExecutionStatus.COMPLETED
) -> Iterator[PipelineRunResponse]:
    """Yield the runs of a pipeline that are tagged `use_case`, newest first; `status` None yields failed ones too."""
    yield from depaginate_stream(
        Client().list_pipeline_runs,
        pipeline=pipeline,
        tags=use_case,
        status=status,
        sort_by="desc:created",
        size=PAGE,
    )


def newest_output(
    pipeline: str, artifact: str, use_case: str, parameters: Mapping[str, Any] = MappingProxyType({})
) -> ArtifactVersionResponse:
    """Return what the newest completed run gave out under the name `artifact`.

    Args:
        pipeline: the pipeline's name.
        artifact: the artifact's name.
        use_case: the tag of the run.
        parameters: those that the run has, among others.

    Raises:
        ConfigError: there is none in the active artifact store.
    """
    for run in runs(pipeline, use_case):
        for version in _outputs(run) if parameters.items() <= (run.config.parameters or {}).items() else ():
            if version.artifact.name == artifact and is_here(version):
                return version
    raise _missing(pipeline, artifact, use_case)


def newest_input(pipeline: str, step: str, name: str, use_case: str) -> ArtifactVersionResponse:
    """Return what the newest completed run took in: the input `name` of its step `step`.

    Raises:
        ConfigError: there is none in the active artifact store.
    """
    for run in runs(pipeline, use_case):
        for version in run.steps[step].inputs.get(name, []):
            if is_here(version):
                return version
    raise _missing(pipeline, name, use_case)


def earlier(artifact: str, version: str) -> ArtifactVersionResponse:
    """Return a version of an artifact by its number, its name or its id.

    Raises:
        ConfigError: there is none, or it lies in another artifact store.
    """
    # Not `get_artifact_version`: inside a pipeline's body it promises to look later.
    client = Client()
    if _is_id(version):
        page = client.list_artifact_versions(id=version)
    else:
        page = client.list_artifact_versions(artifact=artifact, version=version)
    if not page.items:
        raise ConfigError(
            f"There is no version {version!r} of the artifact {artifact!r}: `zenml artifact version list "
            f"--artifact {artifact}` tells which there are."
        )
    response = page.items[0]
    if response.artifact.name != artifact or not is_here(response):
        raise ConfigError(
            f"{version!r} is no {artifact!r} in the artifact store of the stack {client.active_stack_model.name!r}: "
            "set the stack that made it, or name another."
        )
    return response


def version_before(use_case: str, parameters: Mapping[str, Any], fingerprint: str) -> UUID | None:
    """Return the id of the artifact that a data pipeline grows from: the newest one ingested, checked or not.

    One that was split in the same way comes before a newer one that was not, so that a try of other splits moves
    nothing. Where the newest run read the very same source with the same parameters, its own predecessor is returned:
    the answer is then in the cache.

    Args:
        use_case: the tag of the runs.
        parameters: parameters of the step `ingest`, see `plain`.
        fingerprint: of the source.
    """
    of_use_case = ingestions(use_case)
    newest = next(of_use_case, None)
    if newest is None:
        return None
    if newest.has_parameters(parameters) and newest.fingerprint() == fingerprint:
        return newest.previous()
    for ingestion in itertools.chain([newest], of_use_case):
        if ingestion.parameters.get("splits") == parameters["splits"]:
            return ingestion.version.id
    return newest.version.id


def plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters of a step as ZenML keeps them: models as mappings."""
    return {
        name: value.model_dump(mode="json") if isinstance(value, BaseModel) else value
        for name, value in parameters.items()
    }


def is_here(version: ArtifactVersionResponse) -> bool:
    """Return True for an artifact version in the active artifact store."""
    return version.artifact_store_id == Client().active_stack.artifact_store.id


@dataclass(frozen=True)
class Ingestion:
    """The step `ingest` of an earlier run, and the artifact of the dataset version that it gave out."""

    step: StepRunResponse
    version: ArtifactVersionResponse

    @property
    def parameters(self) -> dict[str, Any]:
        """The step's parameters, by their names of today."""
        return renamed(self.step.config.parameters)

    def rejected(self) -> Any:
        """Load the step's `RejectedPhotos`."""
        return self.step.outputs["rejected"][0].load()

    def has_parameters(self, parameters: Mapping[str, Any]) -> bool:
        """Return True if it ran with these parameters."""
        return all(self.parameters.get(name) == value for name, value in parameters.items())

    def fingerprint(self) -> str | None:
        """The source's fingerprint; runs of earlier code have it as a parameter."""
        inputs = self.step.inputs.get("fingerprint")
        return inputs[0].load() if inputs else self.parameters.get("fingerprint")

    def previous(self) -> UUID | None:
        """The version that this one grew from; runs of earlier code have it as an input."""
        if earlier_code := self.step.inputs.get("before"):
            return earlier_code[0].id
        inputs = self.step.inputs.get("previous")
        version = inputs[0].load() if inputs else ""
        return UUID(version) if version else None


def ingestions(use_case: str) -> Iterator[Ingestion]:
    """Yield the ingestions into the active store, newest first, also those of runs that failed later."""
    for run in runs("data_pipeline", use_case, status=None):
        step = run.steps.get("ingest")
        for version in step.outputs.get("ingested", []) if step else []:
            if step and is_here(version):
                yield Ingestion(step, version)


def _outputs(run: PipelineRunResponse) -> Iterator[ArtifactVersionResponse]:
    for step in run.steps.values():
        for versions in step.outputs.values():
            yield from versions


def _is_id(version: str) -> bool:
    try:
        UUID(version)
    except ValueError:
        return False
    return True


def _missing(pipeline: str, artifact: str, use_case: str) -> ConfigError:
    stack = Client().active_stack_model.name
    return ConfigError(
        f"The stack {stack!r} holds no {artifact!r} of a completed {pipeline} of {use_case!r}: run "
        f"`{COMMANDS.get(pipeline, pipeline)} {use_case}` on this stack first."
    )
