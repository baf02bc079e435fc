"""Any number of classes reaches a device: six scans, one pill, twelve pills of which some were asked as unknown."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from benchmarks.scans import CLASSES, draw_scans, scan
from discern.sources.elsewhere.photos import RENDERED
from discern.sources.elsewhere.rendered import rendered_photo
from discern.sources.pills.config import PillsConfig
from discern.sources.pills.photo import render_photo
from edge_runtime.core.identify import Identifier
from edge_runtime.core.images import Pixels, encode_png
from tests.e2e.conftest import Workplace
from tests.e2e.released import check_classes, released

MEDICAL = Path(__file__).resolve().parents[2] / "configs" / "medical_mnist"
PILL = PillsConfig(families=1, photos_per_class=60, size=96, seed=5)
NOTHING_TRAINS = {
    "image": {"size": 96},
    "teacher": "none",
    "student": {
        "model": {
            "backbone": "tf_efficientnet_lite0",
            "weights": "package:efficientnet_lite0",
            "embedding_dim": 256,
        }
    },
    "packaging": {"numeric_format": {"variants": []}, "golden_images": 2},
}


def names(identifier: Identifier, photos: Iterable[Pixels]) -> list[str | None]:
    """Return the label that the device gives to each photo."""
    return [identifier.identify(encode_png(photo)).label for photo in photos]


def from_elsewhere(count: int) -> list[Pixels]:
    """Rendered photos that no rule was fitted on."""
    return [rendered_photo(RENDERED + number) for number in range(count)]


def share(answers: list[str | None], label: str | None) -> float:
    """Return the share of answers that are `label`."""
    return answers.count(label) / len(answers)


@pytest.mark.long
def test_six_classes_of_scans(zenml_home: Path, tmp_path: Path) -> None:
    config = yaml.safe_load((MEDICAL / "training.yaml").read_text())["parameters"]
    photos = draw_scans(tmp_path / "photos", each=25)
    changes = {
        "data": {"source": {"kind": "folder", "path": str(photos)}},
        "training": {part: {**config[part], "steps": 80} for part in ("teacher", "student")},
    }
    workplace = Workplace(zenml_home, tmp_path / "medical_mnist", MEDICAL)
    identifier = released(workplace, changes, "medical_mnist-production")
    assert set(identifier.release.labels) == set(CLASSES)
    truth = [label for label in CLASSES for _ in range(10)]
    answers = names(identifier, [scan(label, 1000 + number) for number, label in enumerate(truth)])
    right = [answer == label for answer, label in zip(answers, truth, strict=True)]
    assert sum(right) >= 0.7 * len(truth), answers
    assert {label for label, hit in zip(truth, right, strict=True) if hit} == set(CLASSES)
    assert share(names(identifier, from_elsewhere(30)), None) >= 0.9


@pytest.mark.long
def test_one_class_with_nothing_trained(zenml_home: Path, tmp_path: Path) -> None:
    taken = tmp_path / "photos" / "aspirin"
    taken.mkdir(parents=True)
    for number in range(24):
        (taken / f"{number}.png").write_bytes(encode_png(render_photo(PILL, 0, number)))
    changes = {
        "data": {
            "source": {"kind": "folder", "path": str(tmp_path / "photos")},
            "splits": {"by": "photos"},
        },
        # As a user leaves it: int8 is tried, and cannot be measured.
        "training": {**NOTHING_TRAINS, "packaging": {"golden_images": 2}, "gallery": {"represent": "auto"}},
        "promotion": {"channels": {"production": "one", "staging": "one-staging"}},
    }
    identifier = released(Workplace(zenml_home, tmp_path / "one"), changes, "one")
    assert identifier.release.labels == ("aspirin",)
    known = names(identifier, [render_photo(PILL, 0, number) for number in range(30, 50)])
    assert share(known, "aspirin") >= 0.7
    assert share(names(identifier, from_elsewhere(30)), None) >= 0.9


@pytest.mark.long
def test_twelve_classes_of_which_some_are_asked_as_unknown(zenml_home: Path, tmp_path: Path) -> None:
    workplace = Workplace(zenml_home, tmp_path / "twelve")
    changes = {
        "data": {"source": {"kind": "pills", "families": 12, "photos_per_class": 6, "size": 48, "seed": 7}},
        "training": {"packaging": {"fpir": 0.2, "numeric_format": {"variants": []}}},
        "promotion": {"channels": {"production": "twelve", "staging": "twelve-staging"}},
    }
    check_classes(released(workplace, changes, "twelve"), workplace, 12)
