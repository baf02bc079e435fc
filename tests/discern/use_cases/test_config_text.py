"""The configs as they are written: the pipelines accept them, and comments say what a person may decide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from discern.use_cases.config_text import WIDTH, data_text, promotion_text, training_text
from discern.use_cases.proposal import Proposal, propose, propose_splits
from discern.use_cases.summary import FailedCondition, LeftOut, PhotoSetSummary
from orchestration.config_check import check_config, complete_config, read_config
from tests.discern.use_cases.summaries import SPEED, classes, summary_of

SOURCE = {"kind": "folder", "path": "/a folder: of #photos"}
DECISIONS = "configs/parts/decisions.csv"


def written(photos: dict[str, int], **facts: Any) -> tuple[Proposal, PhotoSetSummary, dict[str, str]]:
    summary = summary_of(photos, **facts)
    proposal = propose("parts", summary, propose_splits(photos), SPEED)
    texts = {
        "data": data_text(proposal, summary, SOURCE, DECISIONS),
        "training": training_text(proposal, summary),
        "promotion": promotion_text(proposal, summary),
    }
    return proposal, summary, texts


@pytest.mark.parametrize("count", [4, 12, 300])
def test_the_pipelines_accept_what_is_written(count: int, tmp_path: Path) -> None:
    from pipelines.data import data_pipeline
    from pipelines.promotion import promotion_pipeline
    from pipelines.training import training_pipeline

    _, _, texts = written(classes(count, 6))
    for pipeline in (data_pipeline, training_pipeline, promotion_pipeline):
        name = pipeline.name.removesuffix("_pipeline")
        path = tmp_path / f"{name}.yaml"
        path.write_text(texts[name])
        config = complete_config(read_config(path, {"DISCERN_HOME": "/home"}), path, pipeline.entrypoint)
        check_config(config, path, pipeline.entrypoint, pipeline.step_names)


def test_the_settings_are_written_whole() -> None:
    proposal, _, texts = written(classes(12, 15))
    loaded: dict[str, dict[str, Any]] = {name: yaml.safe_load(text)["parameters"] for name, text in texts.items()}
    assert loaded["data"]["source"] == SOURCE
    assert loaded["data"]["decisions"] == DECISIONS
    assert type(proposal.splits).model_validate(loaded["data"]["splits"]) == proposal.splits
    for key in ("teacher", "student"):
        config = getattr(proposal, key)
        assert type(config).model_validate(loaded["training"][key]) == config
    assert type(proposal.gates).model_validate(loaded["promotion"]["gates"]) == proposal.gates


def test_names_from_outside_stay_in_their_comment() -> None:
    odd = "odd\nname: [#\n${HOME}.jpg"
    failed = (FailedCondition("dark_images", "at most 1% are dark", "3: 'x' # of\n 180"),)
    _, _, texts = written(classes(12, 15), broken=(LeftOut(odd, f"{odd} is damaged."),), failed=failed)
    loaded = yaml.safe_load(texts["data"])["parameters"]
    assert set(loaded) == {"source", "splits", "cleaning", "decisions", "checks"}
    assert loaded["checks"]["waive"]["dark_images"].endswith("3: 'x' # of\n 180")


def test_comments_name_what_is_left_out_and_are_not_long() -> None:
    _, summary, texts = written(classes(12, 15), broken=(LeftOut("a/1.jpg", "a/1.jpg is damaged."),))
    assert "a/1.jpg" in texts["data"]
    assert all(name in texts["data"] for name in summary.split.unknown_classes)
    comments = [line for text in texts.values() for line in text.splitlines() if line.lstrip().startswith("#")]
    assert max(map(len, comments)) <= WIDTH + len("  # ")


def test_few_classes_are_told_in_the_config() -> None:
    _, _, texts = written(classes(5, 15))
    assert "5 classes are too few to hold some out whole (8 are needed)" in " ".join(texts["data"].split())
