from __future__ import annotations

from pathlib import Path

from discern.datasets.ingest.write_version import write_version
from discern.evaluation.gallery import GalleryConfig
from steps.training.embedder import photos_to_fit
from tests.discern import toy


def test_a_head_is_fitted_to_the_training_split_and_without_one_to_what_is_enrolled(tmp_path: Path) -> None:
    version, _ = write_version(toy.photos(), str(tmp_path), source="toy")
    gallery = GalleryConfig(photos_per_class=1)
    assert photos_to_fit(version, gallery).labels == sorted(toy.TRAINED)
    enrolled = photos_to_fit(version.select(split="test"), gallery)
    assert set(toy.TEST) <= set(enrolled.labels)
    assert len(enrolled) == len(enrolled.labels), "one photo of each class, as many as are enrolled"
