from __future__ import annotations

import numpy as np
import pytest

from discern.enrolment.change import GalleryChange, apply_change, told
from discern.errors import DataError
from discern.releases.enrolment_data import EnrolledPhotos


def photos(*labelled: str) -> EnrolledPhotos:
    """Photos named as in `a1`: the label, and a letter or digit that is the picture's content."""
    vectors = np.eye(64, dtype=np.float32)[[ord(name[-1]) % 64 for name in labelled]]
    return EnrolledPhotos(vectors, [name[:-1] for name in labelled], [name[-1] * 64 for name in labelled])


GALLERY = photos("a1", "a2", "b3", "c4")


def shown(gallery: EnrolledPhotos) -> list[str]:
    assert len(gallery.vectors) == len(gallery.labels)
    return [label + sha256[0] for label, sha256 in zip(gallery.labels, gallery.sha256, strict=True)]


def test_new_classes_come_last_and_photos_join_their_class() -> None:
    after = apply_change(GALLERY, GalleryChange(photos("d5", "a6")))
    assert shown(after) == ["a1", "a2", "b3", "c4", "d5", "a6"]
    assert np.array_equal(after.vectors[:4], GALLERY.vectors)


def test_a_class_is_replaced_and_another_retired() -> None:
    change = GalleryChange(photos("a7"), replaced=frozenset({"a"}), retired=frozenset({"c"}))
    assert shown(apply_change(GALLERY, change)) == ["b3", "a7"]
    assert told(GALLERY, change) == ["a: 1 photo in place of 2", "c: retired"]
    assert told(GALLERY, GalleryChange(photos("b8", "b9", "e0"))) == ["b: 2 photos more, beside 1", "e: new, 1 photo"]


def test_retiring_goes_by_the_whole_label() -> None:
    gallery = photos("para1", "paracap2")
    assert shown(apply_change(gallery, GalleryChange(photos(), retired=frozenset({"para"})))) == ["paracap2"]


def test_a_photo_that_its_class_holds_is_not_added_twice() -> None:
    twice = GalleryChange(photos("a8", "d5", "d5"))
    assert shown(apply_change(GALLERY, twice)) == ["a1", "a2", "b3", "c4", "a8", "d5"]
    assert told(GALLERY, twice)[1] == "d: new, 1 photo"
    assert shown(apply_change(GALLERY, GalleryChange(photos("a1", "a8")))) == ["a1", "a2", "b3", "c4", "a8"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (GalleryChange(photos(), retired=frozenset({"aa"})), r"'aa' is not enrolled \(did you mean 'a'\?\)"),
        (GalleryChange(photos("d5"), replaced=frozenset({"d"})), r"'d' is not enrolled \(check its spelling\)"),
        (GalleryChange(photos("a5"), retired=frozenset({"a"})), "'a' is both retired and enrolled"),
        (GalleryChange(photos("a3")), r"SHA-256 333333333333\) would be both 'b' and 'a'"),
        (GalleryChange(photos("d5", "e5")), "would be both 'd' and 'e'"),
        (GalleryChange(photos(), retired=frozenset("abc")), "no class would be left"),
    ],
)
def test_a_change_that_cannot_be_made_is_refused(change: GalleryChange, says: str) -> None:
    with pytest.raises(DataError, match=says):
        apply_change(GALLERY, change)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(DataError, match=r"^'x' is not .*; 'y' is not .*; .* both 'b' and 'a': nothing was changed\.$"):
        apply_change(GALLERY, GalleryChange(photos("a3"), retired=frozenset({"x", "y"})))


def test_a_photo_of_a_retired_class_may_be_enrolled_under_another_label() -> None:
    assert shown(apply_change(GALLERY, GalleryChange(photos("d3"), retired=frozenset({"b"})))) == [
        "a1",
        "a2",
        "c4",
        "d3",
    ]
