from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from discern.learning.config import AugmentConfig, DistillConfig, ImageConfig, ModelConfig, TrainingConfig
from edge_runtime.core.images import Preprocessing

MODEL = {"backbone": "resnet10t"}
LEAST: dict[type[BaseModel], dict[str, Any]] = {
    ImageConfig: {"size": 64},
    ModelConfig: MODEL,
    AugmentConfig: {},
    DistillConfig: {},
    TrainingConfig: {"model": MODEL, "steps": 1},
}


@pytest.mark.parametrize("kind", LEAST, ids=lambda kind: kind.__name__)
def test_a_misspelt_key_is_an_error_that_names_it(kind: type[BaseModel]) -> None:
    kind.model_validate(LEAST[kind])
    with pytest.raises(ValidationError, match="sise"):
        kind.model_validate({**LEAST[kind], "sise": 1})


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        (ImageConfig, "size", 8),
        (ImageConfig, "fit", "crop"),
        (ModelConfig, "stem", "tiny"),
        (ModelConfig, "embedding_dim", 4),
        (AugmentConfig, "rotation", 181),
        (AugmentConfig, "erase", 1.1),
        (AugmentConfig, "perspective", 0.6),
        (DistillConfig, "temperature", 0),
        (TrainingConfig, "steps", 0),
        (TrainingConfig, "photos_per_class", 1),
        (TrainingConfig, "learning_rate", 0),
        (TrainingConfig, "ema_decay", 1.0),
        (TrainingConfig, "mixed_precision", "fp8"),
        (TrainingConfig, "checkpoint_every", 0),
        (TrainingConfig, "lookalikes", 1.0),
        (TrainingConfig, "symmetries", "mirror"),
        (TrainingConfig, "patience", -1),
        (TrainingConfig, "patience", 3),
        (TrainingConfig, "seed", -1),
        (TrainingConfig, "least_rank", 0.5),
        (TrainingConfig, "device", "tpu"),
        (DistillConfig, "teacher_sees", "nothing"),
    ],
)
def test_a_value_out_of_bounds_is_an_error_that_names_its_key(kind: type[BaseModel], key: str, value: object) -> None:
    with pytest.raises(ValidationError, match=key):
        kind.model_validate({**LEAST[kind], key: value})


def test_a_misspelt_key_deep_inside_is_an_error() -> None:
    with pytest.raises(ValidationError, match=r"augment\.rotatoin"):
        TrainingConfig.model_validate({**LEAST[TrainingConfig], "augment": {"rotatoin": 3}})


def test_a_config_survives_json_and_cannot_be_changed() -> None:
    config = TrainingConfig.model_validate(LEAST[TrainingConfig])
    assert TrainingConfig.model_validate_json(config.model_dump_json()) == config
    with pytest.raises(ValidationError, match="frozen"):
        config.steps = 3  # type: ignore[misc]


def test_the_image_settings_are_the_devices_preprocessing() -> None:
    assert ImageConfig(size=48, fit="stretch").preprocessing == Preprocessing(48, "stretch")
