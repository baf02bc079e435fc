"""The toy model's release candidate and the release that it competes with, each built once."""

from __future__ import annotations

from pathlib import Path

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.metrics import Metrics
from discern.releases.candidate import build_candidate
from edge_runtime.core.release import Release
from tests.discern import candidates
from tests.discern.trained_toy import trained
from tests.prepared import prepared


def built_candidate(version: DatasetVersion) -> tuple[Release, Metrics]:
    """Return the candidate with its figures."""

    def build(files: Path) -> tuple[Release, Metrics]:
        built = build_candidate(files / "release", candidates.inputs(version, trained(version)))
        return built.release, built.metrics

    return prepared("toy-candidate", __name__, build)


def built_production(version: DatasetVersion) -> Release:
    """Return a release over the same classes that embeds a photo by its mean colour."""
    return prepared("toy-production", __name__, lambda files: candidates.by_colour(files / "release", version))
