"""From a source to a dataset version that nobody has checked yet."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict
from zenml import step
from zenml.logger import get_logger

from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.ingest.rejected import Rejected, told
from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import DatasetVersion
from discern.datasets.splits.assign import SplitConfig
from discern.errors import DataError
from discern.progress import bar
from discern.sources.registry import open_source, read_source_config
from orchestration import storage_layout
from orchestration.caching import by_code, code_of
from orchestration.lineage import load_input
from orchestration.materializers import DatasetVersionMaterializer
from orchestration.secrets import provide_for

logger = get_logger(__name__)


class RejectedPhotos(BaseModel):
    """Photos of the source that are not in the version, each with the reason."""

    model_config = ConfigDict(frozen=True)

    photos: tuple[Rejected, ...]


def code() -> str:
    """Return what this step and everything it imports do, for its cache key."""
    return code_of(__name__)


@step(
    cache_policy=by_code(code),
    output_materializers={"ingested": DatasetVersionMaterializer},
)
def ingest(
    source: dict[str, Any],
    fingerprint: str,
    splits: SplitConfig,
    cleaning: CleaningConfig,
    previous: str = "",
) -> tuple[Annotated[DatasetVersion, "ingested"], Annotated[RejectedPhotos, "rejected"]]:
    """Make a version of a source, or of several; photos that the previous version holds are not read again.

    Args:
        source: the config of one source, or `{sources: [...]}` with several; with enrolments, `{own, enrolments}`.
        fingerprint: of the source; it makes the cache notice a change.
        splits: how photos are split.
        cleaning: what is left out.
        previous: id of the artifact of the version that this one grows from, empty where there is none.

    Raises:
        DataError: the source cannot be used, or changed since the run was started.
    """
    config = read_source_config(source)
    provide_for(config)
    opened = open_source(config)
    if not opened.is_live and opened.fingerprint() != fingerprint:
        raise DataError(
            f"{opened.name} changed after the run was started: wait until nothing changes it, and run again."
        )
    with bar(total=len(opened), name="reading photos", unit="photo") as progress:
        version, rejected = write_version(
            opened.photos(),
            storage_layout.shards(),
            source=opened.name,
            has_full_names=opened.has_full_names,
            withdrawals=opened.withdrawals,
            splits=splits,
            # The gate judges the share of broken photos, so that there is a page that shows them.
            cleaning=cleaning.model_copy(update={"max_rejected_share": 1.0}),
            before=load_input(previous),
            progress=lambda taken: progress.update(taken - progress.n),
        )
    if rejected:
        logger.warning("Left out of the dataset version are %s", told(rejected))
    return version, RejectedPhotos(photos=tuple(rejected))
