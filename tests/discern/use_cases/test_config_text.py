"""The configs as they are written: the pipelines accept them, and comments say what a person may decide."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from discern.use_cases.config_text import WIDTH, data_text, promotion_text, training_text, without_waiver
from discern.use_cases.proposal import Proposal, foretell, propose, propose_splits
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
        "training": training_text(proposal, summary, foretell(proposal, SPEED, sum(photos.values()))),
        "promotion": promotion_text(proposal, summary),
    }
    return proposal, summary, texts


@pytest.mark.parametrize(("count", "each"), [(4, 200), (12, 80), (300, 6)])
def test_the_pipelines_accept_what_is_written(count: int, each: int, tmp_path: Path) -> None:
    from pipelines.data import data_pipeline
    from pipelines.promotion import promotion_pipeline
    from pipelines.training import training_pipeline

    _, _, texts = written(classes(count, each))
    for pipeline in (data_pipeline, training_pipeline, promotion_pipeline):
        name = pipeline.name.removesuffix("_pipeline")
        path = tmp_path / f"{name}.yaml"
        path.write_text(texts[name])
        config = complete_config(read_config(path, {"DISCERN_HOME": "/home"}), path, pipeline.entrypoint)
        check_config(config, path, pipeline.entrypoint, pipeline.step_names)


def test_the_settings_are_written_whole() -> None:
    proposal, _, texts = written(classes(12, 80))
    loaded: dict[str, dict[str, Any]] = {name: yaml.safe_load(text)["parameters"] for name, text in texts.items()}
    assert loaded["data"]["source"] == SOURCE
    assert loaded["data"]["decisions"] == DECISIONS
    assert type(proposal.splits).model_validate(loaded["data"]["splits"]) == proposal.splits
    student = proposal.recipe.student
    assert student is not None
    assert loaded["training"]["teacher"] == "none"
    assert type(student).model_validate(loaded["training"]["student"]) == student
    assert type(proposal.gates).model_validate(loaded["promotion"]["gates"]) == proposal.gates


def test_a_teacher_and_its_student_are_written_whole() -> None:
    proposal, _, texts = written(classes(12, 80), kind="grey")
    loaded = yaml.safe_load(texts["training"])["parameters"]
    for key in ("teacher", "student"):
        config = getattr(proposal.recipe, key)
        assert type(config).model_validate(loaded[key]) == config
    assert loaded["distillation"] == {"teacher_sees": "view"}


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


def plain(text: str) -> str:
    return " ".join(text.replace("#", "").split())


def test_few_classes_are_told_in_the_config() -> None:
    _, _, texts = written(classes(5, 15))
    assert "as 8 classes are needed to hold some out whole" in plain(texts["data"])
    assert "and by photos from elsewhere" in plain(texts["data"])


def test_few_photos_train_nothing_and_the_config_says_why() -> None:
    _, _, texts = written(classes(1, 15))
    loaded = yaml.safe_load(texts["training"])["parameters"]
    weights = {"backbone": "tf_efficientnet_lite0", "weights": "package:efficientnet_lite0", "embedding_dim": 256}
    assert loaded["teacher"] == "none"
    assert loaded["student"] == {"model": weights}
    assert loaded["image"] == {"size": 224}
    assert "distillation" not in loaded
    assert re.search(r"\d+ photos of 1 class that train are too few to learn from", plain(texts["training"]))
    assert "1 class of 15 to 15 photos" in texts["training"]


@pytest.mark.parametrize(
    ("kind", "says", "backbone"),
    [
        ("photos", "Photos of real things in colour", "tf_efficientnet_lite0"),
        ("grey", "Grey pictures have little in common", "resnet10t"),
        ("drawings", "Drawings have little in common", "resnet10t"),
    ],
)
def test_the_config_says_why_it_trains_so_and_how_long(kind: str, says: str, backbone: str) -> None:
    _, _, texts = written(classes(12, 90), kind=kind)
    loaded = yaml.safe_load(texts["training"])["parameters"]
    assert loaded["student"]["model"]["backbone"] == backbone
    assert (loaded["teacher"] == "none") == (kind == "photos")
    assert says in plain(texts["training"])
    assert " min on the machine that wrote this." in plain(texts["training"])


def test_one_session_a_class_is_told_in_the_config() -> None:
    photos = classes(5, 15)
    summary = summary_of(photos)
    splits = propose_splits(photos).model_copy(update={"session_minutes": 0})
    text = data_text(propose("parts", summary, splits, SPEED), summary, SOURCE, DECISIONS)
    assert "All photos of a class were taken within minutes" in plain(text)


def test_a_waiver_goes_without_a_trace_and_a_persons_own_stays() -> None:
    conflict = FailedCondition("label_conflicts", "no picture has several labels", "2 photos: 'a' # b")
    dark = FailedCondition("dark_images", "at most 1% are dark", "3 of 180")
    _, _, clean = written(classes(12, 15))
    _, _, one = written(classes(12, 15), failed=(conflict,))
    _, _, both = written(classes(12, 15), failed=(conflict, dark))
    assert without_waiver(one["data"], "label_conflicts") == clean["data"]
    left = without_waiver(both["data"], "label_conflicts")
    assert list(yaml.safe_load(left)["parameters"]["checks"]["waive"]) == ["dark_images"]
    assert without_waiver(left, "label_conflicts") == left
    own = one["data"].replace("found by discern init", "seen by Ann, found by discern init")
    assert without_waiver(own, "label_conflicts") == own
