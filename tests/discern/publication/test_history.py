"""What the records of a history say together."""

from __future__ import annotations

import pytest

from discern.errors import PublicationError
from discern.publication.history import Action, History, Record, parse_history


def record(
    action: Action, release: str | None = None, channel: str | None = "production", previous: str = ""
) -> Record:
    return Record(action=action, release=release, channel=channel, previous=previous or None, by="Ada", why="because")


def history(*records: Record) -> History:
    return History().adding(records)


def test_what_is_written_is_read() -> None:
    written = history(record("publish", "a"), record("reject", "b", None))
    assert parse_history(written.to_bytes(), "history.json") == written
    assert b'"when":"20' in written.to_bytes()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is not a history of releases: run `discern release repair`"),
        (
            b'{"format": 2, "records": [{"when": "2026-01-01T00:00:00Z", "action": "sing"}]}',
            "not known here: update discern",
        ),
        (b'{"format": 2, "colour": "red"}', "has records that are not known here: update discern"),
        (b'{"format": 1, "records": [{"channel": 3}]}', "is not a history"),
        (b'{"format": 3, "records": []}', "has a format that is not known here: update discern"),
    ],
)
def test_what_is_no_history_is_named(data: bytes, sentence: str) -> None:
    with pytest.raises(PublicationError, match=sentence):
        parse_history(data, "history.json")


def test_a_rejected_release_is_held_until_a_person_approves_it() -> None:
    rejected = history(record("publish", "a"), record("reject", "b", None))
    assert rejected.held("a", "production") is None
    assert "rejected by Ada" in str(rejected.held("b", "production"))
    assert "because" in str(rejected.held("b", "staging"))
    assert rejected.adding([record("approve", "b")]).held("b", "production") is None


def test_a_release_that_was_rolled_back_from_is_held_on_that_channel() -> None:
    back = history(record("publish", "a"), record("publish", "b", previous="a"), record("rollback", "a", previous="b"))
    assert "rolled back by Ada" in str(back.held("b", "production"))
    assert back.held("b", "other") is None
    assert back.held("a", "production") is None
    forth = back.adding([record("rollback", "b", previous="a")])
    assert forth.held("b", "production") is None
    assert "rolled back" in str(forth.held("a", "production"))


def test_a_pin_counts_until_it_is_taken_off() -> None:
    pinned = history(record("pin", "a"))
    assert pinned.pinned("production") == pinned.records[0]
    assert pinned.pinned("staging") is None
    assert pinned.adding([record("unpin", "a")]).pinned("production") is None


def test_a_channels_releases_are_told_newest_first() -> None:
    told = history(
        record("publish", "a"),
        record("stage", "b", "staging"),
        record("publish", "c"),
        record("rollback", "a"),
        record("reject", "d"),
        record("unstage", None, "staging"),
    )
    assert told.named_by("production") == ["a", "c"]
    assert (told.names_now("production"), told.names_now("staging")) == ("a", None)
    assert told.channels() == ["production", "staging"]
    assert told.releases() == {"a", "b", "c", "d"}


def test_a_history_of_before_is_read_and_goes_on() -> None:
    record_of_before = b'{"when":"2026-01-01T00:00:00Z","action":"publish","channel":"production","release":"a"}'
    read = parse_history(b'{"format":1,"records":[' + record_of_before + b"]}", "history.json")
    assert read.judgement("a", "production") is None
    assert parse_history(read.adding([record("reject", "b", None)]).to_bytes(), "history.json").format == 2


def test_a_release_waits_until_something_else_is_done_with_it() -> None:
    staged = history(record("stage", "a", "staging"), record("pin", "a", "staging"), record("unpin", "a", "staging"))
    assert staged.waiting("a", "staging") == staged.records[0]
    assert staged.adding([record("repair", "a", "staging")]).waiting("a", "staging") == staged.records[0]
    assert staged.adding([record("publish", "a", "staging")]).waiting("a", "staging") is None
    assert staged.waiting("b", "staging") is None


def test_a_release_was_live_where_a_channel_named_it_for_devices() -> None:
    told = history(record("publish", "b", previous="a"), record("stage", "c", "staging"), record("reject", "c", None))
    assert told.was_live("a", "production"), "a publisher of before put it there"
    assert told.was_live("b", "production")
    assert not told.was_live("c", "staging")
    assert not told.was_live("b", "staging")
