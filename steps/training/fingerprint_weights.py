"""Read the files of weights that models start from, so that a changed file makes them anew."""

from __future__ import annotations

from typing import Annotated

from zenml import step

from discern.errors import TrainingError
from discern.learning.config import ModelConfig
from discern.learning.models import weights_fingerprint


# Never cached: what is asked is what the files hold now. The outputs are keys of the cached steps.
@step(enable_cache=False)
def fingerprint_weights(
    teacher: ModelConfig | None, student: ModelConfig
) -> tuple[Annotated[str, "teacher_weights"], Annotated[str, "student_weights"]]:
    """Hash the files that the models name; empty where one names none, or where no teacher is trained.

    A file that cannot be read is `unreadable`: the step `check`, which follows, tells it with all else that is wrong.
    """
    return "" if teacher is None else _fingerprint(teacher), _fingerprint(student)


def _fingerprint(model: ModelConfig) -> str:
    try:
        return weights_fingerprint(model)
    except TrainingError:
        return "unreadable"
