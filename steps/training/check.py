"""Refuse, before anything trains, what would end a training, and photos of which no release could come."""

from __future__ import annotations

from functools import partial

from zenml import step

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.gallery import GalleryConfig
from discern.evaluation.queries import check_calibratable
from discern.learning.models import TorchEmbedder
from discern.learning.plan import Plan
from discern.learning.training_check import check_all, training_checks
from orchestration.caching import by_code, code_of


def code() -> str:
    """Return what this step and everything it imports do, for its cache key."""
    return code_of(__name__)


@step(cache_policy=by_code(code))
def check(
    dataset: DatasetVersion,
    plan: Plan,
    gallery: GalleryConfig,
    teacher_weights: str,  # noqa: ARG001  for the cache
    student_weights: str,  # noqa: ARG001  for the cache
    earlier_teacher: TorchEmbedder | None = None,
) -> None:
    """Refuse what would end a training, and photos of which no release could come; all that is wrong is told at once.

    Args:
        dataset: the photos.
        plan: what the run makes.
        gallery: the photos that are enrolled.
        teacher_weights: hash of the file that the teacher starts from: another file is checked anew.
        student_weights: as well.
        earlier_teacher: the one that the student learns from, where none is trained.

    Raises:
        DiscernError: something is wrong.
    """
    calibration = partial(check_calibratable, dataset, gallery)
    check_all([calibration, *training_checks(dataset, plan, earlier_teacher)])
