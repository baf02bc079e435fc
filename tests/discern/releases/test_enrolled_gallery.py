"""The gallery of a release that states it, and of one that was built before releases stated it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from discern.datasets.manifest import DatasetVersion
from discern.errors import ConfigError
from discern.evaluation.gallery import GalleryConfig
from discern.evaluation.metrics import Metrics
from discern.learning.models import TorchEmbedder
from discern.releases.candidate import build_candidate
from discern.releases.enrolled_gallery import gallery_of, representation
from edge_runtime.core.release import GalleryEntry, Release
from tests.discern import candidates, toy


def before_format_3(release: Release) -> Release:
    """The release as an older format has it: how it represents a class, but not which photos it enrols."""
    gallery = GalleryEntry(represent=representation(release))
    return replace(release, manifest=release.manifest.model_copy(update={"gallery": gallery}))


def test_gallery_of_a_release_that_states_it_is_what_it_states(
    candidate: tuple[Release, Metrics], toy_version: DatasetVersion
) -> None:
    assert gallery_of(candidate[0], toy_version) == candidates.GALLERY
    assert gallery_of(candidate[0], toy_version.select(role="query")) == candidates.GALLERY  # no photo is needed


def test_representation_is_what_the_manifest_states_or_what_the_rows_look_like(
    candidate: tuple[Release, Metrics], production: Release
) -> None:
    assert representation(candidate[0]) == "exemplars"
    assert production.manifest.represent is None
    assert representation(production) == "exemplars"  # two rows a class
    counts = production.manifest.counts.model_copy(update={"gallery": 8})
    one_row_a_class = replace(production, manifest=production.manifest.model_copy(update={"counts": counts}))
    assert representation(one_row_a_class) == "prototype"


@pytest.mark.parametrize(
    "gallery",
    [
        GalleryConfig(photos_per_class=2, splits=("validation", "test"), unknown_classes=False, class_offsets=False),
        GalleryConfig(photos_per_class=1, splits=("validation", "test"), unknown_classes=False, class_offsets=False),
        GalleryConfig(photos_per_class=3, represent="prototype", unknown_classes=False, class_offsets=False),
        GalleryConfig(
            photos_per_class=2,
            represent="prototype",
            splits=("train", "test"),
            unknown_classes=False,
            class_offsets=False,
        ),
    ],
)
def test_gallery_of_a_release_that_does_not_state_it_follows_from_its_rows(
    toy_version: DatasetVersion, toy_model: TorchEmbedder, tmp_path: Path, gallery: GalleryConfig
) -> None:
    # Where the validation classes are not enrolled, their queries are no longer those of enrolled classes.
    by_photos = toy_version if "validation" in gallery.splits else _validation_classes_in_test(toy_version)
    built = build_candidate(tmp_path / "release", candidates.inputs(by_photos, toy_model, gallery=gallery))
    assert gallery_of(before_format_3(built.release), by_photos) == gallery


def test_gallery_of_a_release_from_another_dataset_version_is_an_error(
    candidate: tuple[Release, Metrics], toy_version: DatasetVersion
) -> None:
    release = before_format_3(candidate[0])
    lacking = toy_version.select(labels=set(toy.LABELS) - {toy.TEST[0]})
    for version in (lacking, toy_version.select(role="query")):
        with pytest.raises(ConfigError, match=r"does not state its gallery, and no gallery of dataset version \w+ giv"):
            gallery_of(release, version)


def test_gallery_of_a_release_is_not_taken_from_as_many_other_photos(
    candidate: tuple[Release, Metrics], toy_version: DatasetVersion
) -> None:
    """The same classes and numbers of photos, but the enrolled photos are what were queries."""
    roles = ["query" if role == "gallery" else "gallery" for role in toy_version.column("role")]
    column = toy_version.table.schema.get_field_index("role")
    swapped = replace(toy_version, table=toy_version.table.set_column(column, "role", [roles]))
    swapped = swapped.select(labels=(*toy.TRAINED, *toy.VALIDATION, *toy.TEST))
    with pytest.raises(ConfigError, match="does not state its gallery"):
        gallery_of(before_format_3(candidate[0]), swapped)


def _validation_classes_in_test(version: DatasetVersion) -> DatasetVersion:
    """The same photos, where the gallery photos of validation classes lie in the test split."""
    rows = zip(*(version.column(name) for name in ("split", "role")), strict=True)
    splits = ["test" if pair == ("validation", "gallery") else pair[0] for pair in rows]
    column = version.table.schema.get_field_index("split")
    return replace(version, table=version.table.set_column(column, "split", [splits]))
