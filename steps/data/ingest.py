"""From a source to a dataset version that nobody has checked yet."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, TypeAdapter
from zenml import step

from discern.data.sources import SourceConfig, open_source
from discern.data.splits import SplitConfig
from discern.data.versions import DatasetVersion, Rejected, write_version
from discern.progress import bar
from steps import workspace
from steps.caching import depends_on
from steps.materializers import DatasetVersionMaterializer


class RejectedPhotos(BaseModel):
    """Photos of the source that are not in the version, each with the reason."""

    model_config = ConfigDict(frozen=True)

    photos: tuple[Rejected, ...]


@step(
    cache_policy=depends_on("discern/data", "edge_runtime/images.py"),
    output_materializers={"ingested": DatasetVersionMaterializer},
)
def ingest(
    source: dict[str, Any], fingerprint: str, splits: SplitConfig, max_rejected_share: float
) -> tuple[Annotated[DatasetVersion, "ingested"], Annotated[RejectedPhotos, "rejected"]]:
    """Read every photo of the source once. The fingerprint is there for the cache: it changes when the source does."""
    del fingerprint
    opened = open_source(TypeAdapter(SourceConfig).validate_python(source))
    with bar(total=len(opened), name="reading photos", unit="photo") as progress:
        version, rejected = write_version(
            opened.photos(),
            workspace.shards(),
            source=opened.name,
            splits=splits,
            max_rejected_share=max_rejected_share,
            progress=lambda taken: progress.update(taken - progress.n),
        )
    return version, RejectedPhotos(photos=tuple(rejected))
