from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import TypeAdapter

from discern.errors import ConfigError
from discern.learning.config import EmbedderConfig, StudentConfig, TeacherConfig, TrainingConfig
from discern.learning.plan import check_plan

TRAINING: dict[str, Any] = {"model": {"backbone": "resnet10t"}, "steps": 1}
MODEL: dict[str, Any] = {"model": {"backbone": "tf_efficientnet_lite0", "weights": "package:efficientnet_lite0"}}


def check(teacher: Any, student: Any, teacher_version: str | None = None) -> None:
    kinds: tuple[TypeAdapter[Any], ...] = TypeAdapter(TeacherConfig), TypeAdapter(StudentConfig)
    check_plan(kinds[0].validate_python(teacher), kinds[1].validate_python(student), teacher_version)


@pytest.mark.parametrize(
    ("teacher", "student", "version"),
    [
        (TRAINING, TRAINING, None),
        (TRAINING, TRAINING, "3"),
        ("none", TRAINING, "3"),
        ("none", TRAINING, None),
        ("none", MODEL, None),
    ],
)
def test_what_goes_together_passes(teacher: Any, student: Any, version: str | None) -> None:
    check(teacher, student, version)


def test_a_student_is_what_is_written_of_it() -> None:
    kinds: TypeAdapter[Any] = TypeAdapter(StudentConfig)
    assert isinstance(kinds.validate_python(MODEL), EmbedderConfig)
    assert isinstance(kinds.validate_python(TRAINING), TrainingConfig)
    for made in (EmbedderConfig.model_validate(MODEL), TrainingConfig.model_validate(TRAINING)):
        assert kinds.validate_python(made) == made == kinds.validate_json(kinds.dump_json(made))


@pytest.mark.parametrize(
    ("teacher", "student", "version", "message"),
    [
        (TRAINING, MODEL, None, "`student` says its `model` alone, and there is a teacher: say for how many `steps`"),
        ("none", MODEL, "3", "`student` says its `model` alone, and there is a teacher: say for how many `steps`"),
        ("none", {"model": {"backbone": "resnet10t"}}, None, "random ones recognise nothing: say for how many `steps`"),
    ],
)
def test_what_does_not_is_refused_with_its_mend(teacher: Any, student: Any, version: str | None, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        check(teacher, student, version)
