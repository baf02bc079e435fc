from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.ingest.rejected import Rejected, check_share, judged
from discern.datasets.ingest.withdrawals import Withdrawals
from discern.datasets.ingest.write_version import write_version
from discern.errors import DataError
from discern.sources.base import Photo
from tests.discern.pictures import jpeg, photos

RETIRED = {"nut": "its class 'nut' was retired"}


def test_the_label_that_was_decided_on_says_whether_a_photo_is_withdrawn() -> None:
    nut, bolt = Photo("1.jpg", "nut", b""), Photo("2.jpg", "bolt", b"")
    plain = Withdrawals(RETIRED)
    assert plain.reason(nut) == "1.jpg: its class 'nut' was retired."
    assert [plain.reason(one) for one in (bolt, replace(nut, is_enrolled=True), Photo("3.jpg", None, b""))] == [
        None
    ] * 3
    decided = Withdrawals(RETIRED, {"1.jpg": "bolt", "2.jpg": "nut"})
    assert decided.reason(nut) is None
    assert decided.reason(bolt) == "2.jpg: its class 'nut' was retired."
    thing = replace(bolt, box=(1, 2, 30, 40))
    assert Withdrawals(RETIRED, {"2.jpg@1,2,30,40": "nut"}).reason(thing) is not None


def test_a_withdrawn_photo_is_not_read_and_a_decision_on_it_stays(tmp_path: Path) -> None:
    def unread() -> bytes:
        raise AssertionError("a photo was read")

    own = [replace(photo, data=photo.load) for photo in photos(8, 3)]
    thing = Photo("1.jpg", "nut", unread, box=(1, 2, 30, 40), fault="1.jpg: a mark is missing.")
    _, rejected = write_version(
        [*own, thing],
        str(tmp_path),
        withdrawals=RETIRED,
        cleaning=CleaningConfig(max_rejected_share=0, decisions={thing_name(thing): "nut"}),
    )
    assert [(one.name, one.kind) for one in rejected] == [("1.jpg", "withdrawn")]


def thing_name(photo: Photo) -> str:
    return f"{photo.name}@{','.join(f'{side:g}' for side in photo.box or ())}"


def test_withdrawn_classes_do_not_count_before_the_first_photo_is_read(tmp_path: Path) -> None:
    few = [replace(photo, data=photo.load) for photo in photos(8, 3)]
    with pytest.raises(DataError, match="there are 7 classes, and at least 8 are needed"):
        write_version(few, str(tmp_path), withdrawals={"c00": "its class was retired"})
    before, _ = write_version(few, str(tmp_path))
    version, _ = write_version(few, str(tmp_path), withdrawals={"c00": "its class was retired"}, before=before)
    assert len(version.labels) == 7
    assert set(version.column("source")) < set(before.column("source"))


def test_what_people_wanted_counts_in_no_share() -> None:
    rejected = [Rejected(f"{i}.jpg", "x", "withdrawn") for i in range(90)] + [Rejected("b.jpg", "x", "broken")]
    assert judged(rejected) == rejected[90:]
    check_share(rejected, 100, 0.1)
    with pytest.raises(DataError, match="1 of 10 photos cannot be used"):
        check_share(rejected, 100, 0.09)


def test_a_copy_whose_split_is_ours_to_choose_is_no_leak(tmp_path: Path) -> None:
    given = [replace(photo, split="test" if i % 2 else "train") for i, photo in enumerate(photos(3, 4))]
    copy = Photo("copy.jpg", "c00", jpeg(1))
    version, rejected = write_version([copy, *given], str(tmp_path))
    assert [(one.name, one.kind) for one in rejected] == [("copy.jpg", "duplicate")]
    assert version.column("split") == [photo.split for photo in given]
    leaking = replace(given[1], name="leak.jpg", split="train")
    _, rejected = write_version([copy, *given, leaking], str(tmp_path))
    assert [(one.name, one.kind) for one in rejected] == [("copy.jpg", "duplicate"), ("c00/1.jpg", "leak")]
