"""Let a version through only if its checks say so."""

from __future__ import annotations

from typing import Annotated

from zenml import step

from discern.datasets.manifest import DatasetVersion
from discern.quality.checks import CheckReport
from orchestration.caching import depends_on
from orchestration.materializers import DatasetVersionMaterializer


@step(cache_policy=depends_on("discern/data/checks"), output_materializers=DatasetVersionMaterializer)
def gate(version: DatasetVersion, report: CheckReport) -> Annotated[DatasetVersion, "dataset_version"]:
    """Hand the version on; everything that trains depends on this output, so nothing gets past a failed check."""
    report.require()
    return version
