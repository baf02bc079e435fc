from __future__ import annotations

import pytest
from pydantic import ValidationError

from discern.datasets.splits.config import SplitConfig


@pytest.mark.parametrize(
    "values", [{"test_share": 0.6, "validation_share": 0.4}, {"shots": 0}, {"shot": 3}, {"unknown_share": 1}]
)
def test_split_config_refuses_what_makes_no_sense(values: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        SplitConfig.model_validate(values)


def test_split_at_gives_each_split_its_share() -> None:
    config = SplitConfig(test_share=0.25, validation_share=0.5)
    splits = [config.split_at(draw) for draw in (0, 0.249, 0.25, 0.749, 0.75, 0.999)]
    assert splits == ["test", "test", "validation", "validation", "train", "train"]


def test_a_split_without_unknown_classes_needs_one_class_less() -> None:
    assert SplitConfig().min_heldout == 3
    assert SplitConfig(unknown_share=0).min_heldout == 2


def test_versions_of_before_the_official_split_could_be_put_aside_compare_equal() -> None:
    assert "official" not in SplitConfig().model_dump_json()
    config = SplitConfig(official="ignore")
    assert SplitConfig.model_validate_json(config.model_dump_json()) == config
    assert SplitConfig.model_validate(SplitConfig().model_dump()) == SplitConfig()
