from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest

from discern.errors import DataError
from discern.sources.enrolled.ledger import EnrolmentRequest, Ledger, OfferedPhoto, RequestedPhoto, replay

NOON = datetime(2026, 11, 29, 12, tzinfo=timezone.utc)


def asked(*retire: str, replace: bool = False, minute: int = 0) -> EnrolmentRequest:
    return EnrolmentRequest(
        use_case="parts", requested=NOON.replace(minute=minute), by="Ana", replace=replace, retire=retire
    )


def photo(label: str, content: str, name: str = "1.JPG") -> OfferedPhoto:
    return OfferedPhoto(label, name, content.encode())


def held(ledger: Ledger) -> dict[str, list[bytes]]:
    return {
        label: [ledger.load(one) for one, _ in enrolled.photos] for label, enrolled in ledger.state().classes.items()
    }


@pytest.fixture(params=["folder", "bucket"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    if request.param == "folder":
        return Ledger(str(tmp_path / "enrolments" / "parts"))
    return Ledger(f"{request.getfixturevalue('bucket')}/enrolments/parts")


def test_what_was_offered_comes_back_and_counts_once_it_is_live(ledger: Ledger) -> None:
    offered = ledger.offer(asked(), [photo("washer", "a"), photo("washer", "b", "2"), photo("nut", "a", "x/3.png")])
    assert ledger.photos(ledger.read(offered.id)) == [
        OfferedPhoto("washer", "1.JPG", b"a"),
        OfferedPhoto("washer", "2", b"b"),
        OfferedPhoto("nut", "x/3.png", b"a"),
    ]
    assert [one.file[64:] for one in offered.photos] == [".jpg", "", ".png"]
    assert not ledger.exists()
    assert held(ledger) == {}
    ledger.publish(offered, "0123456789abcdef")
    ledger.publish(offered, "fedcba9876543210")
    assert ledger.exists()
    assert held(ledger) == {"washer": [b"a", b"b"], "nut": [b"a"]}
    assert [note.release for _, note in ledger.published()] == ["0123456789abcdef"]


def test_requests_follow_each_other(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    for minute, (request, photos) in enumerate(
        [
            (asked(), [photo("washer", "a"), photo("nut", "b")]),
            (asked(minute=1), [photo("washer", "c")]),
            (asked("nut", minute=2), []),
            (asked(minute=3, replace=True), [photo("washer", "d")]),
        ]
    ):
        ledger.publish(ledger.offer(request, photos), f"{minute:016}")
    assert held(ledger) == {"washer": [b"d"]}
    state = ledger.state()
    assert state.classes["washer"].replaces
    assert state.retired["nut"].requested.minute == 2


def test_a_class_that_was_retired_and_comes_back_begins_anew() -> None:
    first = asked().model_copy(update={"photos": (_requested("nut", "1"),)})
    again = asked(minute=2).model_copy(update={"photos": (_requested("nut", "2"),)})
    state = replay([first, asked("nut", minute=1), again])
    assert not state.retired
    assert [one.sha256[0] for one, _ in state.classes["nut"].photos] == ["2"]
    assert state.classes["nut"].replaces


def test_what_is_damaged_is_named(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    offered = ledger.offer(asked(), [photo("washer", "a")])
    file = tmp_path / "photos" / offered.photos[0].file
    file.write_bytes(b"other")
    with pytest.raises(DataError, match=r"was altered: enrol 'washer' again, with this photo \(1\.JPG\)"):
        ledger.photos(offered)
    ledger.offer(asked(), [photo("washer", "a")])
    assert ledger.load(offered.photos[0]) == b"a"
    file.unlink()
    with pytest.raises(DataError, match="is missing"):
        ledger.photos(offered)
    with pytest.raises(DataError, match=r"requests/0\.json does not exist"):
        ledger.read("0")
    (tmp_path / "requests" / f"{offered.id}.json").write_text("{}")
    with pytest.raises(DataError, match=f"is damaged: restore it, or delete requests/{offered.id}.json and published/"):
        ledger.read(offered.id)


def test_a_place_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "0.json").mkdir()
    with pytest.raises(DataError, match=r"cannot be read \(.*: check the address and the rights"):
        Ledger(str(tmp_path)).state()


def _requested(label: str, digit: str) -> RequestedPhoto:
    return RequestedPhoto(label=label, name="x", sha256=digit * 64, file=digit * 64)


def test_a_staged_request_counts_once_its_release_is_in_production_and_no_longer_once_it_was_rolled_back(
    tmp_path: Path,
) -> None:
    ledger = Ledger(str(tmp_path))
    waiting = ledger.offer(asked(), [photo("washer", "a")])
    ledger.publish(waiting, "b" * 16, live=False)
    assert (ledger.has_notes(), ledger.exists(), held(ledger)) == (True, False, {})
    before = NOON.replace(year=2020)
    ledger.settle({"a" * 16, "b" * 16}, before)
    assert held(ledger) == {"washer": [b"a"]}
    ledger.settle({"a" * 16}, before)
    assert held(ledger) == {}


def test_a_release_that_is_approved_again_brings_back_what_counted_when_it_was_trained(tmp_path: Path) -> None:
    """Rolled back from and approved again: enrolled and retired classes are neither lost nor left behind."""
    ledger = Ledger(str(tmp_path))
    first, before = {"a" * 16}, NOON.replace(year=2020)
    ledger.publish(ledger.offer(asked(), [photo("washer", "a")]), "b" * 16)
    ledger.publish(ledger.offer(asked("m4", minute=1), []), "c" * 16)
    second, trained = {"d" * 16}, datetime.now(timezone.utc)
    for releases, when, counts in ((second, trained, True), (first, before, False), (second, trained, True)):
        ledger.settle(releases, when)
        assert bool(held(ledger)) is counts
        assert bool(ledger.state().retired) is counts


def test_what_did_not_count_when_a_release_was_trained_does_not_count_with_it(tmp_path: Path) -> None:
    """It was live before, and had been rolled back from by then."""
    ledger = Ledger(str(tmp_path))
    ledger.publish(ledger.offer(asked(), [photo("washer", "a")]), "b" * 16)
    ledger.settle({"a" * 16}, NOON.replace(year=2020))
    ledger.settle({"d" * 16}, datetime.now(timezone.utc))
    assert held(ledger) == {}


def test_each_release_that_was_built_for_a_request_lets_it_count(tmp_path: Path) -> None:
    """A run that was cut off left a note on a release that never went live."""
    ledger = Ledger(str(tmp_path))
    request = ledger.offer(asked(), [photo("washer", "a")])
    ledger.publish(request, "b" * 16, live=False)
    ledger.publish(request, "c" * 16, live=False)
    ledger.settle({"c" * 16}, NOON.replace(year=2020))
    assert held(ledger) == {"washer": [b"a"]}
    assert [note.release for _, note in ledger.published()] == ["c" * 16]


@pytest.mark.parametrize("live", [True, False])
def test_a_note_of_format_1_is_read(tmp_path: Path, live: bool) -> None:
    ledger = Ledger(str(tmp_path))
    request = ledger.offer(asked(), [photo("washer", "a")])
    note = {"format": 1, "request": request.id, "release": "b" * 16, "published": NOON.isoformat(), "live": live}
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / f"{request.id}.json").write_text(json.dumps(note))
    assert ledger.exists() is live
    for releases in ("b" * 16, "a" * 16):
        ledger.settle({releases}, NOON.replace(year=2020))
        assert ledger.exists() is (releases == "b" * 16)
    assert len(list((tmp_path / "published").iterdir())) == 1


def test_what_counted_when_a_release_was_trained_counts_still(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.publish(ledger.offer(asked(), [photo("washer", "a")]), "b" * 16)
    ledger.publish(ledger.offer(asked(minute=1), [photo("nut", "b")]), "c" * 16, live=False)
    ledger.settle({"d" * 16}, datetime.now(timezone.utc))
    assert held(ledger) == {"washer": [b"a"]}
