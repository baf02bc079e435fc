"""Names of dataset versions: an id or the start of one, USE_CASE, USE_CASE@N, or the address of a manifest.

What is looked through are the data pipelines' artifacts in the active stack's store. `N` is ZenML's number of the
artifact `dataset_version`; a use case alone is what a training would take, its newest version that passed its checks.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from botocore.exceptions import BotoCoreError
from pydantic import BeforeValidator
from zenml.client import Client
from zenml.enums import TaggableResourceTypes
from zenml.models import ArtifactVersionResponse, StepRunResponse
from zenml.utils.pagination_utils import depaginate_stream

from discern.datasets.manifest import DatasetVersion, load_manifest
from discern.errors import ConfigError, DataError
from discern.storage.remote import open_place
from discern.suggestions import suggest
from orchestration.artifact_lookup import PAGE, Ingestion, ingestions, newest_output, runs

CHECKED, INGESTED = "dataset_version", "ingested"  # names of the artifacts, after and before the gate
_ID = re.compile("[0-9a-f]{4,16}")
_SHOWN = 5  # ids in a message


def _text(name: object) -> object:
    if isinstance(name, int | float):
        raise ValueError("write it in quotes, lest YAML takes it for a number")
    return name


VersionName = Annotated[str, BeforeValidator(_text)]


@dataclass(frozen=True)
class VersionRecord:
    """A dataset version that data pipelines made.

    Args:
        id: its id.
        artifacts: all that hold it, as `ingested` or as `dataset_version`, newest first.
    """

    id: str
    artifacts: tuple[ArtifactVersionResponse, ...]

    @property
    def checked(self) -> list[ArtifactVersionResponse]:
        """Those that hold it as `dataset_version`; none where it did not pass its checks."""
        return [artifact for artifact in self.artifacts if artifact.artifact.name == CHECKED]

    @property
    def artifact(self) -> ArtifactVersionResponse:
        """The newest, a checked one if there is one."""
        return (*self.checked, *self.artifacts)[0]


def of_use_case(use_case: str) -> list[VersionRecord]:
    """Return the versions that runs tagged `use_case` gave out into the active store, the newest run's first."""
    return _grouped(_outputs(run.id for run in runs("data_pipeline", use_case, status=None)))


def versions_of(use_case: str) -> list[VersionRecord]:
    """Return the same.

    Raises:
        ConfigError: there is none.
    """
    if records := of_use_case(use_case):
        return records
    raise _no_version(use_case)


def newest_ingestion(use_case: str) -> Ingestion:
    """Return the newest ingestion of a use case into the active store, whether its version passed its checks or not.

    Raises:
        ConfigError: there is none.
    """
    for ingestion in ingestions(use_case):
        return ingestion
    raise _no_version(use_case)


def use_cases() -> list[str]:
    """Return the use cases that data pipelines ran for, on whatever stack, in the order of the alphabet."""
    tags = depaginate_stream(Client().list_tags, resource_type=TaggableResourceTypes.PIPELINE_RUN, size=PAGE)
    return sorted({tag.name for tag in tags if _is_use_case(tag.name)})


def _is_use_case(tag: str) -> bool:
    """Return False for the further tags that a config names."""
    run = next(runs("data_pipeline", tag, status=None), None)
    return run is not None and (run.config.parameters or {}).get("use_case", tag) == tag


def in_the_store() -> list[VersionRecord]:
    """Return all versions in the active store, newest first."""
    versions = [*_versions(INGESTED), *_versions(CHECKED)]
    return _grouped(sorted(versions, key=lambda version: version.created, reverse=True))


def open_version(name: str) -> DatasetVersion:
    """Read a version.

    Raises:
        ConfigError: there is none of this name, or there are several.
        DataError: its manifest cannot be read.
    """
    if "/" in name or name.endswith(".parquet"):
        return _open_manifest(name)
    version: DatasetVersion = find(name).load()
    return version


def find(name: str) -> ArtifactVersionResponse:
    """Return the artifact of a version of any use case, checked or not.

    Raises:
        ConfigError: there is none of this name, or there are several.
    """
    use_case, at, number = name.rpartition("@")
    if at:
        return _numbered(use_case, number)
    if next(runs("data_pipeline", name, status=None), None) is not None:
        return newest_output("data_pipeline", CHECKED, name)
    return _with_id(in_the_store(), name).artifact


def pinned(name: str | None, use_case: str) -> ArtifactVersionResponse:
    """Return the artifact that a training of `use_case` starts from; it passed its checks.

    Args:
        name: as above, but no path; None for the newest.
        use_case: the use case, which the version must be of.

    Raises:
        ConfigError: there is none of this name, there are several, or it did not pass its checks.
    """
    if name is None or name == use_case:
        return newest_output("data_pipeline", CHECKED, use_case)
    named_use_case, at, number = name.rpartition("@")
    if at and named_use_case != use_case:
        raise ConfigError(f"dataset: {name!r} is of another use case than {use_case!r}: name one of {use_case!r}.")
    if at:
        return _numbered(use_case, number)
    record = _as_of(use_case, _with_id(in_the_store(), name))
    if not record.checked:
        raise ConfigError(
            f"dataset version {record.id} did not pass its checks: mend the data or waive what failed, and run the "
            "data pipeline again."
        )
    return record.checked[0]


def _as_of(use_case: str, record: VersionRecord) -> VersionRecord:
    """Return the record with the artifacts of one use case: to pass the checks of another is not enough.

    Raises:
        ConfigError: the version is of another use case.
    """
    if record.artifact.producer_pipeline_run_id is None:  # its runs were deleted: nothing tells its use case any more
        return record
    for candidate in of_use_case(use_case):
        if candidate.id == record.id:
            return candidate
    raise ConfigError(f"dataset version {record.id} is of another use case than {use_case!r}: name one of that.")


def _numbered(use_case: str, number: str) -> ArtifactVersionResponse:
    checked = [artifact for record in of_use_case(use_case) for artifact in record.checked]
    for artifact in checked:
        if str(artifact.version) == number:
            return artifact
    names = _listed(f"{use_case}@{artifact.version}" for artifact in checked)
    raise ConfigError(
        f"{use_case}@{number} is no dataset version of the use case {use_case!r} in the stack {_stack()!r}: it has "
        f"{names or 'none'}."
    )


def _with_id(records: Sequence[VersionRecord], name: str) -> VersionRecord:
    """Return the version whose id starts with `name`.

    Raises:
        ConfigError: there is none, or there are several.
    """
    is_id = _ID.fullmatch(name.lower()) is not None
    matches = [record for record in records if is_id and record.id.startswith(name.lower())]
    if len(matches) > 1:
        raise ConfigError(f"{name!r} may be {_listed(record.id for record in matches)}: write more of the id.")
    if matches:
        return matches[0]
    names, ids = use_cases(), [record.id for record in records]
    known = _listed([*names[:_SHOWN], *ids])
    mend = f"known are {known}." if known else "run a data pipeline first."
    hint = suggest(name, [*names, *ids, *(each[: len(name)] for each in ids)], otherwise=mend)
    raise ConfigError(f"{name!r} is neither a dataset version nor a use case in the stack {_stack()!r}: {hint}")


def _no_version(use_case: str) -> ConfigError:
    names = use_cases()
    known = f"known are {_listed(names)}." if names else "run its data pipeline first."
    return ConfigError(
        f"The stack {_stack()!r} holds no dataset version of a use case {use_case!r}: "
        f"{suggest(use_case, names, otherwise=known)}"
    )


def _listed(names: Iterable[str]) -> str:
    known = list(names)
    return ", ".join(known[:_SHOWN]) + (f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else "")


def _open_manifest(url: str) -> DatasetVersion:
    if "://" not in url:
        return load_manifest(url)
    try:
        filesystem, path = open_place(url)
        with filesystem.open(path, "rb") as file:
            return load_manifest(file)
    except FileNotFoundError:
        raise DataError(f"{url} does not exist: give the address of a dataset version's manifest.") from None
    except (OSError, BotoCoreError, ValueError, ImportError) as error:
        raise DataError(f"{url} cannot be read ({error}): check the address and the credentials.") from None


def _outputs(run_ids: Iterable[UUID]) -> Iterator[ArtifactVersionResponse]:
    """Yield the versions that runs gave out into the active store, in the order of the runs.

    Many runs are asked for at once: one question a run would take seconds for a use case that is months old.
    """
    store = Client().active_stack.artifact_store.id
    run_ids = iter(run_ids)
    while batch := list(itertools.islice(run_ids, PAGE)):
        outputs: dict[UUID, list[ArtifactVersionResponse]] = {run_id: [] for run_id in batch}
        for step, name in (("ingest", INGESTED), ("gate", CHECKED)):
            for step_run in _steps(step, batch):
                outputs[step_run.pipeline_run_id] += step_run.outputs.get(name, [])
        for versions in outputs.values():
            yield from (version for version in versions if version.artifact_store_id == store)


def _steps(name: str, run_ids: Sequence[UUID]) -> Iterator[StepRunResponse]:
    yield from depaginate_stream(
        Client().list_run_steps,
        name=name,
        pipeline_run_id=f"oneof:{json.dumps([str(run_id) for run_id in run_ids])}",
        size=PAGE,
        hydrate=True,
    )


def _versions(name: str) -> Iterator[ArtifactVersionResponse]:
    """Yield the versions of one artifact in the active store, newest first."""
    client = Client()
    yield from depaginate_stream(
        client.list_artifact_versions,
        artifact=name,
        artifact_store_id=client.active_stack.artifact_store.id,
        sort_by="desc:created",
        size=PAGE,
    )


def _grouped(versions: Iterable[ArtifactVersionResponse]) -> list[VersionRecord]:
    """Return artifacts of one content as one version, in the order of each one's first."""
    artifacts: dict[str, dict[UUID, ArtifactVersionResponse]] = {}
    for version in versions:
        if version.content_hash is not None:
            artifacts.setdefault(version.content_hash, {}).setdefault(version.id, version)
    return [VersionRecord(name, tuple(group.values())) for name, group in artifacts.items()]


def _stack() -> str:
    return Client().active_stack_model.name
