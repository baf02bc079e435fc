"""What was enrolled without training as a source, by itself."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from discern.errors import DataError
from discern.sources.base import Photo, Provenance
from discern.sources.enrolled.source import EnrolledSource
from tests.discern.sources.enrolled.ledgers import NOON, Enrolments


@pytest.fixture
def enrolments(tmp_path: Path) -> Enrolments:
    return Enrolments(tmp_path)


def photos(enrolments: Enrolments) -> list[Photo]:
    source = EnrolledSource(enrolments.ledger)
    found = list(source.photos())
    assert len(source) == len(found)
    return found


def test_each_enrolled_photo_is_there_with_who_enrolled_it_and_is_read_when_it_is_asked_for(
    enrolments: Enrolments, tmp_path: Path
) -> None:
    request = enrolments.add([("nut", b"a"), ("nut/m4", b"b")], by="Ben")
    first, second = photos(enrolments)
    sha256 = request.photos[0].sha256
    assert (first.name, first.label, first.stamp) == (f"nut/{sha256[:12]}.jpg", "nut", sha256)
    assert second.label == "nut/m4"
    assert first.is_enrolled
    assert first.captured_at is None
    assert first.provenance == Provenance("Ben", "annotation", NOON + timedelta(minutes=1))
    assert first.load() == b"a"
    (tmp_path / "photos" / request.photos[0].file).unlink()
    with pytest.raises(DataError, match="is missing: enrol 'nut' again"):
        photos(enrolments)[0].load()


def test_a_photo_that_was_enrolled_twice_is_there_once_as_the_first_one_enrolled_it(enrolments: Enrolments) -> None:
    enrolments.add([("nut", b"a"), ("nut", b"b")], by="Ana")
    enrolments.add([("nut", b"b"), ("nut", b"c"), ("nut", b"c")], by="Ben")
    enrolments.add([("nut", b"d")], is_published=False)
    found = {photo.load(): photo.provenance.labelled_by for photo in photos(enrolments)}
    assert found == {b"a": "Ana", b"b": "Ana", b"c": "Ben"}
    assert len(photos(enrolments)) == 3


def test_it_says_which_classes_of_other_sources_count_no_more_and_why(enrolments: Enrolments) -> None:
    enrolments.add([("nut", b"a"), ("bolt", b"b"), ("pin", b"c")])
    enrolments.add(retire=("bolt", "cog"), why=" Not sold any more. ")
    enrolments.add([("pin", b"d")], replace=True, by="Ben")
    enrolments.add([("cog", b"e")])
    assert EnrolledSource(enrolments.ledger).withdrawals == {
        "bolt": "its class 'bolt' was retired on 2026-11-29 by Ana: Not sold any more",
        "pin": "its class 'pin' was enrolled anew, with other photos, on 2026-11-29 by Ben",
        "cog": "its class 'cog' was enrolled anew, with other photos, on 2026-11-29 by Ana",
    }
    assert sorted(photo.label or "" for photo in photos(enrolments)) == ["cog", "nut", "pin"]


def test_the_fingerprint_follows_every_published_request_and_nothing_else(enrolments: Enrolments) -> None:
    def fingerprint() -> str:
        return EnrolledSource(enrolments.ledger).fingerprint()

    prints = [fingerprint()]
    for change in ({"photos": [("nut", b"a")]}, {"photos": [("nut", b"a")]}, {"retire": ("nut",)}):
        enrolments.add(**change, is_published=False)
        assert fingerprint() == prints[-1]
        enrolments.add(**change)
        prints.append(fingerprint())
    assert len(set(prints)) == len(prints)
