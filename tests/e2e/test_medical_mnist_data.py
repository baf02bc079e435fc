"""The data part of configs/medical_mnist on a stand-in: six classes give a version that passes its checks."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from benchmarks.scans import CLASSES, draw_scans
from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import DatasetVersion
from discern.datasets.splits.config import SplitConfig
from discern.quality.checks import check_version
from discern.quality.checks.model import CheckConfig
from discern.sources.registry import SourceConfig, open_source
from orchestration.config_check import read_config

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "medical_mnist" / "data.yaml"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    photos = draw_scans(tmp_path_factory.mktemp("medical") / "photos", each=20)
    parameters: dict[str, Any] = read_config(CONFIG, {"MEDICAL_MNIST": str(photos)})["parameters"]
    return parameters


@pytest.fixture(scope="module")
def version(config: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> DatasetVersion:
    source = open_source(TypeAdapter(SourceConfig).validate_python(config["source"]))
    written, rejected = write_version(
        source.photos(),
        str(tmp_path_factory.mktemp("shards")),
        source=source.name,
        splits=SplitConfig.model_validate(config["splits"]),
        cleaning=CleaningConfig.model_validate(config["cleaning"]),
    )
    assert not rejected
    return written


def test_every_class_is_in_every_split(version: DatasetVersion) -> None:
    labels = defaultdict(set)
    for label, split, role in zip(*map(version.column, ("label", "split", "role")), strict=True):
        labels[split, role].add(label)
    assert dict(labels) == {
        ("train", "gallery"): set(CLASSES),
        ("validation", "query"): set(CLASSES),
        ("test", "query"): set(CLASSES),
    }


def test_the_version_passes_its_checks(version: DatasetVersion, config: dict[str, Any]) -> None:
    report = check_version(version, CheckConfig.model_validate(config["checks"])).report
    assert report.passed, [(failed.check, failed.detail) for failed in report.failures]
