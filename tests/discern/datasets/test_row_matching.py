"""Pairs of rows that show the same."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from discern.datasets.manifest import DatasetVersion
from discern.datasets.row_matching import SAME_THING, ManifestColumns, Matched
from tests.discern.datasets.manifests import Thing, empty, unlabelled, version

BOX = (10.0, 10.0, 30.0, 30.0)


def matched(before: DatasetVersion, after: DatasetVersion) -> Matched:
    return Matched(*(ManifestColumns(subject.all_rows().table) for subject in (before, after)))


def test_of_equal_pictures_the_one_with_the_same_label_and_name_is_taken() -> None:
    before = version(Thing("a", "nut", "x/1.jpg"), Thing("a", "bolt", "x/2.jpg"))
    after = version(Thing("a", "bolt", "x/2.jpg"), Thing("a", "nut", "x/1.jpg"))
    assert matched(before, after).pairs == [(1, 0), (0, 1)]


def test_a_box_that_moved_a_little_is_the_same_thing_and_one_elsewhere_is_not() -> None:
    near, far = (12.0, 10.0, 32.0, 30.0), (60.0, 60.0, 80.0, 80.0)
    pairs = matched(
        version(Thing("a", "nut", box=BOX)), version(Thing("a", "cog", box=far), Thing("a", "cog", box=near))
    )
    assert pairs.pairs == [(0, 1)]
    assert list(pairs.only_after) == [0]


def test_under_another_label_boxes_must_overlap_by_more_than_half() -> None:
    half = (10.0, 10.0, 30.0, 20.0)
    assert SAME_THING == 0.5
    assert matched(version(Thing("a", "nut", box=BOX)), version(Thing("a", "cog", box=half))).pairs == []
    assert matched(version(Thing("a", "nut", box=BOX)), version(Thing("a", "nut", box=half))).pairs == [(0, 0)]


def test_images_without_an_instance_are_matched_by_their_picture() -> None:
    before = version(Thing("a", "nut"), empty("belt"), unlabelled("new"))
    after = version(Thing("a", "nut"), Thing("new", "nut", "mine/None/new.jpg"), empty("belt", source="moved.jpg"))
    assert matched(before, after).pairs == [(0, 0), (2, 1), (1, 2)]


def test_pictures_that_nobody_measured_have_no_area() -> None:
    """As in a manifest of format 1."""
    subject = version(Thing("a", "nut"), Thing("a", "bolt"))
    unmeasured = subject.table
    for name in ("width", "height"):
        index = unmeasured.schema.get_field_index(name)
        field = unmeasured.schema.field(index)
        unmeasured = unmeasured.set_column(index, field, pa.nulls(unmeasured.num_rows, field.type))
    old = replace(subject, table=unmeasured)
    assert matched(old, subject).pairs == [(0, 0), (1, 1)]
    boxed = version(Thing("a", "nut", box=BOX), Thing("a", "cog", box=(50.0, 50.0, 60.0, 60.0)))
    assert len(matched(old, boxed).pairs) == 0
