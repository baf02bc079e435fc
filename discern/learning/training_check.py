"""Everything that would end a training is looked for before the first one starts, and told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from discern.datasets.manifest import DatasetVersion
from discern.errors import DiscernError, TrainingError
from discern.learning.batches import LEAST_CLASSES, TURNS, check_classes
from discern.learning.config import EmbedderConfig, ModelConfig, TrainingConfig
from discern.learning.device import check_device, check_processes
from discern.learning.embedding import check_input
from discern.learning.losses import MetricLoss
from discern.learning.models import TorchEmbedder
from discern.learning.plan import Plan
from discern.learning.recipes import check_dims, check_head, check_preprocessing, training_split, validation_photos
from edge_runtime.core.images import Preprocessing

Check = Callable[[], object]  # raises a DiscernError


def check_all(checks: Iterable[Check]) -> None:
    """Run all checks, whichever fail.

    Raises:
        DiscernError: one failed, which is its own error.
        TrainingError: several failed; each is a line.
    """
    # Teacher and student may fail alike: that is told once.
    errors = {str(error): error for check in checks if (error := _failure(check)) is not None}
    if len(errors) == 1:
        raise next(iter(errors.values()))
    if errors:
        raise TrainingError("\n".join(errors))


def _failure(check: Check) -> DiscernError | None:
    try:
        check()
    except DiscernError as error:
        return error
    return None


def training_checks(version: DatasetVersion, plan: Plan, earlier: TorchEmbedder | None) -> list[Check]:
    """Return the checks of what a training pipeline makes.

    Args:
        version: the photos.
        plan: what it makes.
        earlier: the teacher that the student learns from, where none is trained.
    """
    preprocessing, teacher, student = plan.image.preprocessing, plan.teacher, plan.student
    if isinstance(student, EmbedderConfig):
        return [partial(_check_model, student.model, preprocessing, is_trained=False)]
    checks: list[Check] = []
    if teacher is not None:
        checks += [*_checks_of(version, preprocessing, teacher), partial(check_dims, teacher.model, student.model)]
    if earlier is not None:
        checks += [
            partial(check_preprocessing, earlier, preprocessing),
            partial(check_dims, earlier.config, student.model),
        ]
    return checks + _checks_of(version, preprocessing, student)


def _checks_of(version: DatasetVersion, preprocessing: Preprocessing, config: TrainingConfig) -> list[Check]:
    return [
        partial(_check_photos, version, config),
        partial(_check_patience, version, config),
        partial(check_device, config),
        partial(check_processes, config),
        partial(_check_model, config.model, preprocessing),
        # A loss with a proxy for each class is told of two, whatever there are.
        partial(MetricLoss, config.loss, config.miner, LEAST_CLASSES, config.model.embedding_dim),
    ]


def _check_photos(version: DatasetVersion, config: TrainingConfig) -> None:
    check_classes(len(training_split(version).labels) * TURNS[config.symmetries])


def _check_patience(version: DatasetVersion, config: TrainingConfig) -> None:
    _, queries = validation_photos(version)
    if config.patience and len(queries) == 0:
        raise TrainingError(
            f"`patience: {config.patience}` counts validations, and the validation split has no query of a class in "
            "its own gallery: set it to 0, or hold out classes for validation."
        )


def _check_model(config: ModelConfig, preprocessing: Preprocessing, *, is_trained: bool = True) -> None:
    model = TorchEmbedder(config, preprocessing)
    if not is_trained:
        check_head(model)
    check_input(model)
