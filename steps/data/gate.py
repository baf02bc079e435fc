"""Let a version through only if its checks say so."""

from __future__ import annotations

from typing import Annotated

from zenml import step

from discern.datasets.manifest import DatasetVersion
from discern.quality.checks import CheckReport
from orchestration.caching import by_code, code_of
from orchestration.materializers import DatasetVersionMaterializer


def code() -> str:
    """Return what this step and everything it imports do, for its cache key."""
    return code_of(__name__)


@step(cache_policy=by_code(code), output_materializers=DatasetVersionMaterializer)
def gate(version: DatasetVersion, report: CheckReport) -> Annotated[DatasetVersion, "dataset_version"]:
    """Hand the version on; everything that trains depends on this output, so nothing gets past a failed check."""
    report.require()
    return version
