"""Six drawn classes and sets of one pill, few photos of each, from the command line to the figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from benchmarks import small_sets
from benchmarks.learning import Recipe, read_recipe
from benchmarks.scans import CLASSES, draw_scans
from discern.datasets.ingest.write_version import write_version
from discern.datasets.splits.config import SplitConfig
from discern.learning.config import ImageConfig
from discern.sources.folder import FolderConfig, FolderSource
from tests.benchmarks import trials

SCANS = 10


def small(recipe: Recipe) -> Recipe:
    return trials.small(recipe).model_copy(update={"packaging": small_sets.FP32})


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of a trial; a light net of random weights stands for EfficientNet's."""
    folder = tmp_path_factory.mktemp("small-sets")
    net = trials.small(read_recipe("medical_mnist", {"MEDICAL_MNIST": "unread"})).student.model
    weights = folder / "weights.pt"
    torch.save(timm.create_model(net.backbone, num_classes=0, **net.options).state_dict(), weights)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small_sets, "UNTRAINED", net.model_copy(update={"weights": str(weights)}))
        for name, value in {"SCANS": SCANS, "PILLS": 2, "PILL_PHOTOS": 10, "PILL_IMAGE": ImageConfig(size=32)}.items():
            patch.setattr(small_sets, name, value)
        return trials.run(small_sets, folder / "work", shrink=small)


@pytest.mark.slow
def test_the_figures_are_there(figures: dict[str, Any]) -> None:
    for prefix in ("medical_mnist", "untrained"):
        trials.check_intervals(figures, [f"{prefix}_{name}" for name in ("accuracy", "tpir", "tnir")])
        trials.check_shares(figures, [f"{prefix}_elsewhere_tnir"])
        assert figures[f"{prefix}_tpir"] <= figures[f"{prefix}_accuracy"]
        assert figures[f"{prefix}_classes_shipped"] == len(CLASSES)
        assert figures[f"{prefix}_queries"] == len(CLASSES) * SCANS // 5
    assert figures["classes_shipped"] == figures["classes"] == len(CLASSES)
    trials.check_intervals(figures, ("one_class_tpir", "one_class_tnir"))
    assert figures["one_class_sets"] == 2
    assert figures["one_class_queries"] >= 2


def test_few_photos_of_each_class_train_and_no_query_goes(tmp_path: Path) -> None:
    source = FolderSource(FolderConfig(path=str(draw_scans(tmp_path / "photos", SCANS))))
    version, _ = write_version(source.photos(), str(tmp_path / "shards"), source="x", splits=SplitConfig(by="photos"))
    few = small_sets.few_trained(version, 2)
    labels = few.select(split="train").column("label")
    assert {label: labels.count(label) for label in labels} == dict.fromkeys(CLASSES, 2)
    for split in ("validation", "test"):
        assert few.select(split=split).table == version.select(split=split).table
    assert len(small_sets.few_trained(version, None)) == len(version)
