"""Splits of empty images: those of what they belong to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from discern.datasets.ingest.assignments import assign_rows
from discern.datasets.ingest.rows import IngestRow
from discern.datasets.ingest.ties import Ties
from discern.datasets.splits.assign import Assignment
from discern.datasets.splits.config import SplitConfig
from discern.sources.base import Split
from tests.discern.datasets.ingest.ingest_rows import row

OFFICIAL: tuple[Split, ...] = ("train", "validation", "test")


def assigned(rows: Sequence[IngestRow], ties: Mapping[int, Ties] | None = None) -> dict[int, Assignment]:
    every = {i: (ties or {}).get(i, Ties()) for i in range(len(rows))}
    return assign_rows(range(len(rows)), rows, every, SplitConfig())


@pytest.mark.parametrize("split", OFFICIAL)
@pytest.mark.parametrize("tie", [Ties(near_duplicates="set"), Ties(session="noon")], ids=str)
def test_an_empty_image_follows_what_it_belongs_to(split: Split, tie: Ties) -> None:
    rows = [row("a", "nut", split=split), row("belt")]
    assert assigned(rows, {0: tie, 1: tie})[1] == (split, None)


@pytest.mark.parametrize("split", OFFICIAL)
def test_an_empty_image_follows_its_group_whatever_the_class(split: Split) -> None:
    rows = [row("a", "nut", split=split, group="tray"), row("belt", group="tray")]
    assert assigned(rows)[1] == (split, None)


def test_empty_images_that_belong_together_stay_together() -> None:
    rows = [row("a", "nut", split="train"), *(row(f"belt {k}", group="tray") for k in range(40))]
    assert len({assignment for i, assignment in assigned(rows).items() if i}) == 1


def test_an_empty_image_between_two_sides_trains() -> None:
    rows = [row("a", "nut", split="test", group="x"), row("b", "nut", split="train"), row("belt", group="x")]
    tie = Ties(near_duplicates="set")
    assert assigned(rows, {1: tie, 2: tie})[2] == ("train", None)


def test_what_the_source_or_the_earlier_version_says_of_an_empty_image_stays() -> None:
    rows = [
        row("a", "nut", split="train", group="tray"),
        row("belt 1", split="test", group="tray"),
        row("belt 2", earlier=("validation", None), group="tray"),
        row("belt 3", split="test", earlier=("validation", None)),
    ]
    assert [assigned(rows)[i] for i in (1, 2, 3)] == [("test", None), ("validation", None), ("test", None)]


def test_an_empty_image_that_belongs_to_nothing_is_drawn_by_its_content() -> None:
    rows = [row("a", "nut", split="train"), *(row(f"belt {k}") for k in range(2000))]
    assignments = assigned(rows)
    drawn = [assignments[i][0] for i in range(1, len(rows))]
    counts = Counter(drawn)
    assert abs(counts["test"] / 2000 - 0.2) < 0.04
    assert abs(counts["validation"] / 2000 - 0.2) < 0.04
    fewer = assigned([rows[0], *rows[1001:]])
    assert [fewer[i][0] for i in range(1, len(fewer))] == drawn[1000:]


def test_an_unlabelled_image_is_on_no_side() -> None:
    rows = [row("a", "nut", split="train", group="x"), row("new", kind="unlabelled", group="x")]
    assert assigned(rows).keys() == {0}


def test_the_sources_split_may_be_put_aside_for_empty_images_too() -> None:
    rows = [row(f"{label} {k}", label, split="test") for label in ("nut", "pin") for k in range(10)]
    rows += [row(f"belt {k}", split="validation", earlier=("train", None)) for k in range(4)]
    config = SplitConfig(by="photos", official="ignore")
    found = assign_rows(range(len(rows)), rows, {i: Ties() for i in range(len(rows))}, config)
    assert {found[i][0] for i in range(20)} == {"train", "validation", "test"}
    assert [found[i] for i in range(20, 24)] == [("train", None)] * 4


def test_what_was_split_off_before_stays_split_off() -> None:
    rows = [row(f"{label} {k}", label, split="train") for label in ("nut", "pin") for k in range(10)]
    rows += [row(f"{label} v", label, split="validation") for label in ("nut", "pin")]
    rows += [row("old", "nut", split="train", earlier=("test", "query"))]
    config = SplitConfig(by="photos", official="add_test")
    found = assign_rows(range(len(rows)), rows, {i: Ties() for i in range(len(rows))}, config)
    assert found[22] == ("test", "query")
    assert [found[i] for i in (20, 21)] == [("validation", "query")] * 2
