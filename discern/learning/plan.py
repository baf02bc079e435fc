"""What a training pipeline makes: a teacher and its student, a student alone, or a model as it is. Pure."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from discern.errors import ConfigError
from discern.learning.config import (
    EmbedderConfig,
    ImageConfig,
    ModelConfig,
    StudentConfig,
    TeacherConfig,
    TrainingConfig,
)


class Plan(BaseModel):
    """What one run makes.

    Attributes:
        image: the photos of all its models.
        teacher: the training of a teacher; None where none is trained.
        student: its training, or a model as its weights are.
    """

    model_config = ConfigDict(frozen=True)

    image: ImageConfig
    teacher: TrainingConfig | None
    student: StudentConfig


def check_plan(teacher: TeacherConfig, student: StudentConfig, teacher_version: str | None) -> None:
    """Refuse a teacher and a student that do not go together.

    Args:
        teacher: as configured.
        student: as configured.
        teacher_version: of an earlier teacher, if one is named.

    Raises:
        ConfigError: a student is not said to learn from its teacher, or has no weights without learning.
    """
    has_teacher = teacher_version is not None or teacher != "none"
    if isinstance(student, EmbedderConfig):
        if has_teacher:
            raise ConfigError(
                "`student` says its `model` alone, and there is a teacher: say for how many `steps` it learns, or "
                "train nothing by `teacher: none` without a `teacher_version`."
            )
        _check_weights(student.model)


def _check_weights(model: ModelConfig) -> None:
    if model.weights is None and not model.pretrained:
        raise ConfigError(
            f"`student` says its `model` alone, so that {model.backbone} is released as its weights are, and random "
            "ones recognise nothing: say for how many `steps` it learns, or name a file in `student.model.weights`, or "
            "set `pretrained: true`, or take `weights: package:efficientnet_lite0` with `backbone: "
            "tf_efficientnet_lite0`."
        )
