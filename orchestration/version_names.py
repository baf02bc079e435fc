"""Which dataset version a name means: an id or the start of one, USE_CASE, USE_CASE@N, or the place of a manifest.

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
from zenml.models import ArtifactVersionResponse

from discern.datasets.manifest import DatasetVersion, load_manifest
from discern.errors import ConfigError, DataError
from discern.storage.remote import open_place
from discern.suggestions import suggest
from orchestration.artifact_lookup import newest_output

CHECKED, INGESTED = "dataset_version", "ingested"  # names of the artifacts, after and before the gate
PAGE = 100
_ID = re.compile("[0-9a-f]{4,16}")
_SHOWN = 5  # ids in a message


def _text(name: object) -> object:
    if isinstance(name, int | float):
        raise ValueError("write it in quotes, lest YAML takes it for a number")
    return name


VersionName = Annotated[str, BeforeValidator(_text)]


@dataclass(frozen=True)
class Made:
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


def of_use_case(use_case: str) -> list[Made]:
    """The versions that runs tagged `use_case` gave out into the active store; what the newest run gave comes first."""
    return _grouped(itertools.chain.from_iterable(_outputs(runs) for runs in _runs(use_case)))


def versions_of(use_case: str) -> list[Made]:
    """The same.

    Raises:
        ConfigError: there is none.
    """
    if made := of_use_case(use_case):
        return made
    use_cases = _use_cases()
    known = f"known are {_listed(use_cases)}." if use_cases else "run its data pipeline first."
    raise ConfigError(
        f"The stack {_stack()!r} holds no dataset version of a use case {use_case!r}: "
        f"{suggest(use_case, use_cases, otherwise=known)}"
    )


def in_the_store() -> list[Made]:
    """All versions in the active store, newest first."""
    versions = itertools.chain.from_iterable(_versions(name) for name in (INGESTED, CHECKED))
    return _grouped(sorted(versions, key=lambda version: version.created, reverse=True))


def open_version(name: str) -> DatasetVersion:
    """Read a version.

    Raises:
        ConfigError: there is none of this name, or there are several.
        DataError: its manifest cannot be read.
    """
    if "/" in name or name.endswith(".parquet"):
        return _at(name)
    version: DatasetVersion = find(name).load()
    return version


def find(name: str) -> ArtifactVersionResponse:
    """The artifact of a version of any use case, checked or not.

    Raises:
        ConfigError: there is none of this name, or there are several.
    """
    use_case, at, number = name.rpartition("@")
    if at:
        return _numbered(use_case, number)
    if _runs_of(name):
        return newest_output("data_pipeline", CHECKED, name)
    return _starting(in_the_store(), name).artifact


def pinned(name: str | None, use_case: str) -> ArtifactVersionResponse:
    """The artifact that a training of `use_case` starts from; it passed its checks.

    Args:
        name: as above, save a place; None for the newest.
        use_case: the use case, which the version must be of.

    Raises:
        ConfigError: there is none of this name, there are several, or it did not pass its checks.
    """
    if name is None or name == use_case:
        return newest_output("data_pipeline", CHECKED, use_case)
    asked, at, number = name.rpartition("@")
    if at and asked != use_case:
        raise ConfigError(f"dataset: {name!r} is of another use case than {use_case!r}: name one of {use_case!r}.")
    if at:
        return _numbered(use_case, number)
    one = _starting(in_the_store(), name)
    if one.artifact.producer_pipeline_run_id is not None:  # otherwise nothing tells its use case any more
        ours = next((made for made in of_use_case(use_case) if made.id == one.id), None)
        if ours is None:
            raise ConfigError(f"dataset version {one.id} is of another use case than {use_case!r}: name one of that.")
        one = ours  # what passed the checks of another use case need not have passed those of this one
    if not one.checked:
        raise ConfigError(
            f"dataset version {one.id} did not pass its checks: mend the data or waive what failed, and run the data "
            "pipeline again."
        )
    return one.checked[0]


def _numbered(use_case: str, number: str) -> ArtifactVersionResponse:
    numbers: list[str] = []
    for one in of_use_case(use_case):
        for version in one.checked:
            numbers.append(str(version.version))
            if numbers[-1] == number:
                return version
    known = f"it has {_listed(f'{use_case}@{known}' for known in numbers)}" if numbers else "it has none"
    raise ConfigError(
        f"{use_case}@{number} is no dataset version of the use case {use_case!r} in the stack {_stack()!r}: {known}."
    )


def _starting(made: Sequence[Made], name: str) -> Made:
    """The version whose id starts with `name`."""
    found = [one for one in made if _ID.fullmatch(name.lower()) and one.id.startswith(name.lower())]
    if len(found) > 1:
        raise ConfigError(f"{name!r} may be {_listed(one.id for one in found)}: write more of the id.")
    if found:
        return found[0]
    use_cases, ids = _use_cases(), [one.id for one in made]
    known = _listed([*use_cases[:_SHOWN], *ids])
    mend = f"known are {known}." if known else "run a data pipeline first."
    hint = suggest(name, [*use_cases, *ids, *(one[: len(name)] for one in ids)], otherwise=mend)
    raise ConfigError(f"{name!r} is neither a dataset version nor a use case in the stack {_stack()!r}: {hint}")


def _listed(names: Iterable[str]) -> str:
    known = list(names)
    return ", ".join(known[:_SHOWN]) + (f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else "")


def _at(place: str) -> DatasetVersion:
    """The version whose manifest lies at a path or a URL."""
    if "://" not in place:
        return load_manifest(place)
    try:
        files, path = open_place(place)
        with files.open(path, "rb") as file:
            return load_manifest(file)
    except FileNotFoundError:
        raise DataError(f"{place} does not exist: give the address of a dataset version's manifest.") from None
    except (OSError, BotoCoreError, ValueError, ImportError) as error:
        raise DataError(f"{place} cannot be read ({error}): check the address and the credentials.") from None


def _runs(use_case: str) -> Iterator[list[UUID]]:
    """Runs of data pipelines, whatever became of them, newest first, some at a time."""
    client = Client()
    for number in itertools.count(1):
        page = client.list_pipeline_runs(
            pipeline="data_pipeline", tags=use_case, sort_by="desc:created", size=PAGE, page=number
        )
        yield [run.id for run in page.items]
        if number >= page.total_pages:
            return


def _runs_of(use_case: str) -> bool:
    """Whether there is any run of a data pipeline tagged so."""
    return Client().list_pipeline_runs(pipeline="data_pipeline", tags=use_case, size=1).total > 0


def _outputs(runs: Sequence[UUID]) -> Iterator[ArtifactVersionResponse]:
    """What their steps gave out into the active store, by run, in the order of the runs."""
    if not runs:
        return
    asked = f"oneof:{json.dumps([str(run) for run in runs])}"
    found: dict[UUID, list[ArtifactVersionResponse]] = {run: [] for run in runs}
    for step, name in (("ingest", INGESTED), ("gate", CHECKED)):
        # A run has at most one step of a name, and one more for each time it was tried again.
        for number in itertools.count(1):
            page = Client().list_run_steps(name=step, pipeline_run_id=asked, size=PAGE, page=number, hydrate=True)
            for one in page.items:
                found[one.pipeline_run_id] += one.outputs.get(name, [])
            if number >= page.total_pages:
                break
    here = Client().active_stack.artifact_store.id
    yield from (one for outputs in found.values() for one in outputs if one.artifact_store_id == here)


def _versions(name: str) -> Iterator[ArtifactVersionResponse]:
    """The versions of one artifact in the active store, newest first."""
    client = Client()
    for number in itertools.count(1):
        page = client.list_artifact_versions(
            artifact=name,
            artifact_store_id=client.active_stack.artifact_store.id,
            sort_by="desc:created",
            size=PAGE,
            page=number,
        )
        yield from page.items
        if number >= page.total_pages:
            return


def _grouped(versions: Iterable[ArtifactVersionResponse]) -> list[Made]:
    """Artifacts of one content as one version, in the order of each one's first."""
    found: dict[str, dict[UUID, ArtifactVersionResponse]] = {}
    for version in versions:
        if version.content_hash is not None:
            found.setdefault(version.content_hash, {}).setdefault(version.id, version)
    return [Made(name, tuple(artifacts.values())) for name, artifacts in found.items()]


def _use_cases() -> list[str]:
    """Tags of the newest runs of data pipelines."""
    page = Client().list_pipeline_runs(pipeline="data_pipeline", sort_by="desc:created", size=PAGE, hydrate=True)
    return sorted({tag.name for run in page.items for tag in run.tags})


def _stack() -> str:
    return Client().active_stack_model.name
