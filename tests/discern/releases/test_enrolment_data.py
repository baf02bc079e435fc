from __future__ import annotations

import numpy as np
import pytest

from discern.errors import PublicationError
from discern.evaluation.calibration import Elsewhere
from discern.evaluation.gallery_doctor import CurvePoint
from discern.evaluation.metrics import Metrics
from discern.evaluation.retrieval import Queries
from discern.releases.enrolment_data import EnrolledPhotos, EnrolmentData
from edge_runtime.core.release import ENROLMENT_FILE, Release
from edge_runtime.files import sha256_file


def unit(rows: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, 8))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def data(*, elsewhere: bool = True) -> EnrolmentData:
    asked_twice = np.concatenate([unit(3, 2)] * 2)
    return EnrolmentData(
        gallery=EnrolledPhotos(unit(4, 1), ["a", "a", "b", "Größe, M6"], [f"{n:064x}" for n in range(4)]),
        validation=Queries(asked_twice, ["a", "b", "c"] * 2, frozenset({"a", "b"}), np.array([False] * 3 + [True] * 3)),
        test=Queries(unit(5, 3), list("abcde")),
        trained_answers=["a", None, "c", "c", None],
        elsewhere=Elsewhere(unit(6, 4)) if elsewhere else None,
        curve=(CurvePoint(1, 0.5), CurvePoint(2, 0.75)) if elsewhere else (),
    )


@pytest.mark.parametrize("elsewhere", [True, False])
def test_what_is_written_is_read(elsewhere: bool) -> None:
    written = data(elsewhere=elsewhere)
    read = EnrolmentData.from_bytes(written.to_bytes())
    assert np.array_equal(read.gallery.vectors, written.gallery.vectors)
    assert (read.gallery.labels, read.gallery.sha256) == (written.gallery.labels, written.gallery.sha256)
    for name in ("validation", "test"):
        before, after = getattr(written, name), getattr(read, name)
        assert np.array_equal(after.vectors, before.vectors)
        assert (list(after.labels), after.trained) == (list(before.labels), before.trained)
    assert read.validation.left_out is not None
    assert read.validation.left_out.tolist() == [False] * 3 + [True] * 3
    assert read.test.left_out is not None
    assert not read.test.left_out.any()
    assert read.curve == written.curve
    assert read.trained_answers == written.trained_answers
    assert (read.elsewhere is None) is not elsewhere
    if written.elsewhere is not None and read.elsewhere is not None:
        assert np.array_equal(read.elsewhere.measuring, written.elsewhere.measuring)


def test_equal_data_give_equal_bytes_and_what_is_asked_twice_is_stored_once() -> None:
    assert data().to_bytes() == data().to_bytes()
    many = Queries(np.repeat(unit(1, 5), 10_000, axis=0), ["a"] * 10_000)
    once = EnrolmentData(data().gallery, many, data().test, data().trained_answers)
    assert len(once.to_bytes()) < 10_000 * 8 * 4


@pytest.mark.parametrize("damaged", [b"", b"no archive", data().to_bytes()[:-200]])
def test_a_damaged_file_is_one_sentence(damaged: bytes) -> None:
    with pytest.raises(
        PublicationError, match=r"^here is damaged \(.*\): train and promote a new release, then enrol\.$"
    ):
        EnrolmentData.from_bytes(damaged, "here")


def test_a_candidate_carries_what_enrolment_into_it_needs(candidate: tuple[Release, Metrics]) -> None:
    release, metrics = candidate
    entry = release.manifest.enrolment
    assert entry is not None
    assert ENROLMENT_FILE not in release.manifest.files
    assert sha256_file(release.folder / ENROLMENT_FILE) == entry.sha256
    read = EnrolmentData.from_bytes((release.folder / ENROLMENT_FILE).read_bytes())
    assert set(read.gallery.labels) == set(release.labels)
    assert all(len(sha256) == 64 for sha256 in read.gallery.sha256)
    assert [point.photos for point in read.curve] == [1, 2]
    assert len(read.test.labels) == metrics.enrolled_queries + metrics.unknown_queries
