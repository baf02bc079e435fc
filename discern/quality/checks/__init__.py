"""Is this dataset version fit to train on? Conditions with limits, each met, failed, or waived with a reason."""

from __future__ import annotations

from collections.abc import Sequence

from discern.datasets.ingest.rejected import Rejected
from discern.datasets.manifest import DatasetVersion
from discern.errors import DataError
from discern.quality.checks import appearance, looks, rows, twins
from discern.quality.checks.model import (
    Check,
    CheckConfig,
    Checked,
    CheckReport,
    Condition,
    Figure,
    Photos,
    PhotoSets,
    Plot,
)
from discern.quality.checks.samples import draw_samples

__all__ = [
    "Check",
    "CheckConfig",
    "CheckReport",
    "Checked",
    "Condition",
    "Figure",
    "PhotoSets",
    "Photos",
    "Plot",
    "check_version",
]


def check_version(
    version: DatasetVersion,
    config: CheckConfig | None = None,
    rejected: Sequence[Rejected] = (),
    max_broken_share: float = 1.0,
) -> Checked:
    """Run every check; a failure is in the answer, not raised.

    Args:
        version: the version.
        config: the limits; the defaults if None.
        rejected: photos that were left out of it.
        max_broken_share: largest share of the source's photos that cannot be used (`cleaning.max_rejected_share`).

    Raises:
        DataError: the version is empty, or a photo of it cannot be read.
    """
    from discern.quality.checks import suites  # Deepchecks takes seconds to import

    if not len(version):
        raise DataError("the dataset version has no photos: make it again from a source that has some.")
    config = config or CheckConfig()
    samples = draw_samples(version, config.samples_per_split, config.thumbnail)
    found = [
        *rows.findings(version, rejected, config, max_broken_share),
        *twins.findings(version),
        *appearance.findings(version),
        *looks.findings(version, config),
        *suites.run(samples, _known_splits(version), config),
    ]
    answers = tuple(_waived(one, config) for one in found if isinstance(one, Condition))
    passed = all(one.passed or one.waived is not None for one in answers)
    figures = tuple(one for one in found if not isinstance(one, Condition))
    return Checked(CheckReport(version=version.id, conditions=answers, passed=passed), figures)


def _known_splits(version: DatasetVersion) -> list[str]:
    """Splits that ask for classes of training alone."""
    trained = set(version.select("train").labels)
    return [split for split in ("validation", "test") if trained.issuperset(version.select(split).labels)]


def _waived(condition: Condition, config: CheckConfig) -> Condition:
    if condition.passed:
        return condition
    return condition.model_copy(update={"waived": config.waive.get(condition.check)})
