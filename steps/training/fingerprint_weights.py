"""Read the files of weights that training starts from, so that a changed file trains anew."""

from __future__ import annotations

from typing import Annotated

from zenml import step

from discern.learning.config import ModelConfig
from discern.learning.models import weights_fingerprint


# Never cached: what is asked is what the files hold now. The outputs are keys of the cached steps.
@step(enable_cache=False)
def fingerprint_weights(
    teacher: ModelConfig | None, student: ModelConfig
) -> tuple[Annotated[str, "teacher_weights"], Annotated[str, "student_weights"]]:
    """Hash the files that the models name; empty where one names none, or where no teacher is trained.

    Raises:
        TrainingError: a file cannot be read.
    """
    return "" if teacher is None else weights_fingerprint(teacher), weights_fingerprint(student)
