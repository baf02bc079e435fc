"""Conflicts of an ingestion, and what a decision on one adds to the table."""

from __future__ import annotations

import pytest

from discern.datasets.ingest.conflicts import Ingested
from discern.datasets.ingest.decisions import Decision
from discern.datasets.ingest.rejected import Kind, Rejected
from discern.errors import DataError


def reject(name: str, label: str | None, reason: str, kind: Kind = "conflict") -> Rejected:
    return Rejected(name, reason, kind, label)


REJECTED = (
    reject("a/1.jpg", "nut", "one"),
    reject("b/1.jpg", "bolt", "one"),
    reject("a/2.jpg", "nut", "a/2.jpg is the same picture as a/3.jpg.", "duplicate"),
    reject("empty.jpg", None, "two"),
    Rejected("t.jpg", "two", "conflict", "rivet", box=(0, 0, 10, 10)),
)


def ingested(*table: Decision, prefix: str = "") -> Ingested:
    return Ingested(("nut", "bolt", "washer"), REJECTED, table, prefix)


def said(decisions: list[Decision]) -> list[tuple[str, str]]:
    return [(decision.photo, decision.label) for decision in decisions]


def test_photos_of_one_reason_are_one_conflict() -> None:
    first, second = ingested(Decision("b/1.jpg", "bolt")).conflicts()
    assert first.names == ["a/1.jpg", "b/1.jpg"]
    assert first.choices == {"nut": "a/1.jpg", "bolt": "b/1.jpg"}
    assert said(list(first.decided.values())) == [("b/1.jpg", "bolt")]
    assert second.choices == {"rivet": "t.jpg@0,0,10,10"}
    assert not second.decided


def test_a_decision_is_one_line() -> None:
    wanted = Decision("a/1.jpg", "bolt", "ann", "now", "I measured it")
    assert ingested().decide(wanted) == [wanted]
    assert ingested(wanted).decide(wanted) == []
    assert said(ingested().decide(Decision("t.jpg@0,0,10,10", "rivet"))) == [("t.jpg@0,0,10,10", "rivet")]


def test_another_decision_on_the_conflict_takes_the_first_one_back() -> None:
    earlier = Decision("a/1.jpg", "nut", "ann")
    lines = ingested(earlier).decide(Decision("b/1.jpg", "bolt", "bo"))
    assert said(lines) == [("a/1.jpg", ""), ("b/1.jpg", "bolt")]
    assert {line.by for line in lines} == {"bo"}
    assert said(ingested(earlier).decide(Decision("b/1.jpg", "bolt"), also=True)) == [("b/1.jpg", "bolt")]


def test_what_was_decided_before_may_be_decided_otherwise_later() -> None:
    settled = Ingested(("nut", "bolt"), (), (Decision("a/1.jpg", "nut"),))
    assert said(settled.decide(Decision("a/1.jpg", "bolt"))) == [("a/1.jpg", "bolt")]


def test_the_only_source_may_stand_before_a_name() -> None:
    assert said(ingested(prefix="parts/").decide(Decision("parts/a/1.jpg", "nut"))) == [("a/1.jpg", "nut")]
    with pytest.raises(DataError):
        ingested().decide(Decision("parts/a/1.jpg", "nut"))


def test_a_thing_in_a_box_may_be_named_by_its_photo_where_it_is_the_only_one() -> None:
    assert said(ingested().decide(Decision("t.jpg", "rivet"))) == [("t.jpg@0,0,10,10", "rivet")]
    other = Rejected("t.jpg", "three", "conflict", "nut", box=(5, 5, 9, 9))
    several = Ingested(("nut",), (*REJECTED, other), ())
    with pytest.raises(
        DataError, match=r"several things in t\.jpg .*: name one of t\.jpg@0,0,10,10, t\.jpg@5,5,9,9\.$"
    ):
        several.decide(Decision("t.jpg", "rivet"))


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(DataError) as caught:
        ingested().decide(Decision("a/1.jpeg", "washr"))
    assert str(caught.value).splitlines() == [
        "a/1.jpeg is in no label conflict: did you mean 'a/1.jpg', 'b/1.jpg'?",
        "no photo has the label 'washr': did you mean 'washer'? (Add --new if it is a new class.)",
    ]


def test_a_new_class_is_said_to_be_one() -> None:
    with pytest.raises(DataError, match="no photo has the label 'gasket': add --new if it is a new class"):
        ingested().decide(Decision("a/1.jpg", "gasket"))
    assert said(ingested().decide(Decision("a/1.jpg", "gasket"), is_new=True)) == [("a/1.jpg", "gasket")]


def test_a_photo_that_is_left_out_for_another_reason_is_told_that() -> None:
    with pytest.raises(DataError, match=r"^a/2\.jpg is in no label conflict: a/2\.jpg is the same picture as a/3"):
        ingested().decide(Decision("a/2.jpg", "nut"))


def test_a_decision_is_taken_back() -> None:
    decided = ingested(Decision("a/1.jpg", "nut"), prefix="parts/")
    for name in ("a/1.jpg", "parts/a/1.jpg"):
        assert said(decided.take_back(Decision(name, "", "bo"))) == [("a/1.jpg", "")]
    with pytest.raises(DataError, match=r"holds no decision on a/2\.jpg: did you mean 'a/1\.jpg'"):
        decided.take_back(Decision("a/2.jpg", ""))
    with pytest.raises(DataError, match="there are no decisions"):
        ingested().take_back(Decision("a/1.jpg", ""))
