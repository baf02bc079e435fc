from __future__ import annotations

import pytest

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.gallery_doctor import CurvePoint
from discern.evaluation.metrics import Metrics
from discern.reports.gallery_doctor import GalleryDoctor, examine_gallery
from discern.reports.thumbnails import Thumbnails, class_photos
from edge_runtime.core.release import Release


@pytest.fixture(scope="module")
def doctor(candidate: tuple[Release, Metrics], toy_version: DatasetVersion) -> GalleryDoctor:
    thumbnails = Thumbnails()
    photo_of = class_photos(candidate[0], toy_version, thumbnails)
    made = examine_gallery(candidate[0], toy_version, photo_of, thumbnails)
    assert made is not None
    return made


def test_every_enrolled_photo_is_counted_once(doctor: GalleryDoctor, candidate: tuple[Release, Metrics]) -> None:
    assert doctor.photos == candidate[0].manifest.counts.gallery
    named = doctor.photos - doctor.taken_for_another - doctor.unknown
    assert 0 <= doctor.redundant <= named


def test_those_that_harm_most_are_shown_first_beside_the_other_class(doctor: GalleryDoctor) -> None:
    effects = [one.report.help - one.report.harm for one in doctor.shown]
    assert effects == sorted(effects)
    for one in doctor.shown:
        assert one.photo.shape == (96, 96, 3)
        assert one.other is not None
        assert one.report.excess > 0 or one.report.harm > one.report.help


def test_the_photos_that_a_class_needs_are_said_by_the_curve() -> None:
    curve = (CurvePoint(1, 0.5), CurvePoint(3, 0.895), CurvePoint(5, 0.9))
    said = GalleryDoctor(0, 0, 0, 0, 0, curve, ()).needs()
    assert said == (
        "For a TPIR of 0.6, the default floor, 3 photos a class do; the best, 0.900, is within a point with 3 photos, "
        "of up to 5."
    )
    low = GalleryDoctor(0, 0, 0, 0, 0, curve[:1], ()).needs()
    assert "no number of photos here reaches it; the best, 0.500, is within a point with 1 photo, of up to 1." in low
    assert GalleryDoctor(0, 0, 0, 0, 0, (), ()).needs() == ""


def test_a_release_that_carries_no_embeddings_has_none(production: Release, toy_version: DatasetVersion) -> None:
    thumbnails = Thumbnails()
    photo_of = class_photos(production, toy_version, thumbnails)
    assert examine_gallery(production, toy_version, photo_of, thumbnails) is None
