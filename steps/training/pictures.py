"""What people would rather look at than figures: pictures of the candidate's answers, beside its curves."""

from __future__ import annotations

from typing import Annotated

from zenml import step
from zenml.types import HTMLString

from discern.data.versions import DatasetVersion
from discern.evaluation.gallery import GalleryConfig
from discern.releases.depiction import depict_release
from discern.releases.depiction_page import depiction_page
from edge_runtime.release import Release
from steps import tracking
from steps.caching import depends_on


@step(experiment_tracker=True, cache_policy=depends_on("discern", "edge_runtime"))
def depict(
    candidate: Release, dataset: DatasetVersion, gallery: GalleryConfig
) -> Annotated[HTMLString, "candidate_pictures"]:
    """Log the candidate's model and pictures of what it makes of the test split; give the pictures out as one page."""
    tracking.log_model(candidate)
    depiction = depict_release(candidate, dataset, gallery)
    tracking.log_pictures(depiction.pictures)
    if depiction.confusions is not None:
        tracking.log_table("confusion_pairs", depiction.confusions, depiction.confusions.csv())
    return HTMLString(depiction_page(candidate, dataset, depiction))
