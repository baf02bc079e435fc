"""Refuse a dataset version of which no release could come, before anything is trained on it."""

from __future__ import annotations

from zenml import step

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.gallery import GalleryConfig
from discern.evaluation.queries import check_calibratable
from orchestration.caching import by_code, code_of


def code() -> str:
    """Return what this step and everything it imports do, for its cache key."""
    return code_of(__name__)


@step(cache_policy=by_code(code))
def check_queries(dataset: DatasetVersion, gallery: GalleryConfig) -> None:
    """Refuse a version of which no release could come, before anything is trained on it."""
    check_calibratable(dataset, gallery)
