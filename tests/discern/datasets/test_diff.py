"""What differs between two versions, thing by thing."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from discern.datasets.diff import DiffRow, VersionDiff, diff_versions
from discern.datasets.ingest.write_version import write_version
from discern.sources.base import Photo
from edge_runtime.core.images import Box
from tests.discern.datasets.manifests import Thing, empty, unlabelled, version
from tests.discern.pictures import photos

A = Thing("a", "nut")
B = Thing("b", "nut")
C = Thing("c", "bolt", split="test", role="query")
LEFT, RIGHT = (0.0, 0.0, 20.0, 20.0), (50.0, 50.0, 80.0, 80.0)


def found(changes: VersionDiff) -> dict[str, int]:
    return {name: count for name, count in changes.counts.items() if count}


def rows(listed: tuple[DiffRow, ...]) -> list[tuple[int, str]]:
    return [(row.row, row.source) for row in listed]


def test_equal_versions() -> None:
    changes = diff_versions(version(A, B, C), version(A, B, C))
    assert changes.is_empty
    assert list(changes.lines()) == ["3 photos of 2 classes -> 3 photos of 2 classes", "no difference"]


def test_another_order_is_no_change() -> None:
    assert diff_versions(version(A, B, C), version(C, A, B)).is_empty


def test_a_first_version_is_all_new() -> None:
    changes = diff_versions(None, version(A, B, C))
    assert found(changes) == {"classes_added": 2, "added": 3}
    assert changes.classes_added == {"bolt": 1, "nut": 2}


def test_what_came_and_what_went() -> None:
    changes = diff_versions(version(A, B, C), version(A, Thing("d", "nut"), Thing("e", "cog")))
    assert rows(changes.added) == [(1, "mine/nut/d.jpg"), (2, "mine/cog/e.jpg")]
    assert rows(changes.removed) == [(1, "mine/nut/b.jpg"), (2, "mine/bolt/c.jpg")]
    assert (changes.classes_added, changes.classes_removed) == ({"cog": 1}, {"bolt": 1})
    assert len(found(changes)) == 4


def test_a_photo_that_was_replaced_under_its_name_went_and_came() -> None:
    changes = diff_versions(version(A), version(Thing("other", "nut", A.source or "mine/nut/a.jpg")))
    assert found(changes) == {"added": 1, "removed": 1}


def test_relabelled_in_place_or_by_its_folder() -> None:
    for source in ("mine/nut/a.jpg", "mine/bolt/a.jpg"):
        changes = diff_versions(version(A, B, C), version(B, C, Thing("a", "bolt", source)))
        assert found(changes) == {"relabelled": 1}
        (one,) = changes.relabelled
        assert (one.before.row, one.before.label, one.after.row, one.after.label) == (0, "nut", 2, "bolt")


def test_a_class_that_got_another_name() -> None:
    changes = diff_versions(version(A, B, C), version(A._replace(label="m5 nut"), B._replace(label="m5 nut"), C))
    assert found(changes) == {"classes_added": 1, "classes_removed": 1, "relabelled": 2}


def test_moved_to_another_side() -> None:
    changes = diff_versions(version(A, B, C), version(A._replace(split="test"), B, C._replace(role="gallery")))
    assert found(changes) == {"moved": 2}
    assert list(changes.lines())[2:] == [
        "    mine/nut/a.jpg (nut): train gallery -> test gallery",
        "    mine/bolt/c.jpg (bolt): test query -> test gallery",
    ]


def test_a_photo_that_was_relabelled_and_moved_is_in_both_lists() -> None:
    changes = diff_versions(version(A), version(Thing("a", "bolt", "mine/nut/a.jpg", split="test")))
    assert found(changes) == {"classes_added": 1, "classes_removed": 1, "relabelled": 1, "moved": 1}


def test_renamed_is_not_added_and_removed() -> None:
    changes = diff_versions(version(A, B), version(A._replace(source="mine/more/x.jpg"), B))
    assert found(changes) == {"renamed": 1}
    assert list(changes.lines())[-1] == "    mine/nut/a.jpg -> mine/more/x.jpg"


def test_another_group_or_time() -> None:
    noon = datetime(2026, 4, 1, 12, tzinfo=UTC)
    changes = diff_versions(version(A, B, C), version(A._replace(group="tray"), B._replace(captured_at=noon), C))
    assert found(changes) == {"regrouped": 2}


def test_boxes_of_one_picture_are_told_apart() -> None:
    one, two = Thing("scene", "nut", box=LEFT), Thing("scene", "nut", box=RIGHT)
    changes = diff_versions(version(one, two), version(two))
    assert rows(changes.removed) == [(0, "mine/nut/scene.jpg")]
    assert found(changes) == {"removed": 1}


def test_labels_of_two_boxes_were_exchanged() -> None:
    before = version(Thing("scene", "nut", "s.jpg", LEFT), Thing("scene", "bolt", "s.jpg", RIGHT))
    after = version(Thing("scene", "nut", "s.jpg", RIGHT), Thing("scene", "bolt", "s.jpg", LEFT))
    assert found(diff_versions(before, after)) == {"relabelled": 2}


def shifted(box: tuple[float, float, float, float], by: float) -> tuple[float, float, float, float]:
    return box[0] + by, box[1], box[2] + by, box[3]


def test_boxes_that_were_drawn_again_go_to_the_nearest() -> None:
    close = shifted(LEFT, 12)
    before = version(Thing("s", "nut", box=LEFT), Thing("s", "nut", box=close), Thing("s", "nut", box=RIGHT))
    after = version(
        Thing("s", "nut", box=shifted(close, 1)), Thing("s", "nut", box=shifted(LEFT, 1)), Thing("s", "nut", box=RIGHT)
    )
    changes = diff_versions(before, after)
    assert found(changes) == {"reboxed": 2}
    assert [(one.before.row, one.after.row) for one in changes.reboxed] == [(1, 0), (0, 1)]


def test_a_box_elsewhere_is_another_thing() -> None:
    changes = diff_versions(version(Thing("s", "nut", box=LEFT)), version(Thing("s", "nut", box=RIGHT)))
    assert found(changes) == {"added": 1, "removed": 1}


def test_a_whole_picture_that_got_a_box() -> None:
    changes = diff_versions(version(A), version(A._replace(box=LEFT), Thing("a", "bolt", "mine/nut/a.jpg", RIGHT)))
    assert found(changes) == {"classes_added": 1, "added": 1, "reboxed": 1}
    assert "    mine/nut/a.jpg (nut): the whole picture -> 0, 0, 20, 20" in changes.lines()


def test_a_box_that_was_drawn_again_under_another_label() -> None:
    before = version(Thing("s", "nut", "s.jpg", LEFT))
    changes = diff_versions(before, version(Thing("s", "bolt", "s.jpg", shifted(LEFT, 2))))
    assert found(changes) == {"classes_added": 1, "classes_removed": 1, "relabelled": 1, "reboxed": 1}
    assert "removed" in found(diff_versions(before, version(Thing("s", "bolt", "s.jpg", shifted(LEFT, 15)))))


def test_what_a_format_rounds_is_no_other_box() -> None:
    before = version(Thing("s", "nut", box=LEFT), Thing("t", "nut", box=RIGHT))
    after = version(Thing("s", "nut", box=shifted(LEFT, 0.004)), Thing("t", "nut", box=shifted(RIGHT, 0.02)))
    assert [one.after.row for one in diff_versions(before, after).reboxed] == [1]


def test_another_margin() -> None:
    changes = diff_versions(version(A._replace(box=LEFT)), version(A._replace(box=LEFT, margin=0.1)))
    assert found(changes) == {"reboxed": 1}
    assert list(changes.lines())[-1].endswith(": 0, 0, 20, 20 -> 0, 0, 20, 20 and 10% around")


def test_one_picture_in_two_files() -> None:
    """Duplicates are rows of their own: one more of them is one photo more."""
    copy = A._replace(source="mine/nut/copy.jpg")
    assert found(diff_versions(version(A), version(A, copy))) == {"added": 1}
    assert rows(diff_versions(version(A, copy), version(copy)).removed) == [(0, "mine/nut/a.jpg")]
    assert found(diff_versions(version(A, A, copy), version(A, copy))) == {"removed": 1}


def test_one_picture_under_two_labels() -> None:
    other = Thing("a", "bolt", "mine/bolt/a.jpg")
    changes = diff_versions(version(A, other), version(A, other._replace(label="cog")))
    assert [(one.before.label, one.after.label) for one in changes.relabelled] == [("bolt", "cog")]


def test_at_most_some_examples_are_listed() -> None:
    changes = diff_versions(version(A), version(A, *(Thing(f"n{i}", "nut") for i in range(1200))))
    assert list(changes.lines(2))[1:] == [
        "1,200 photos added",
        "    mine/nut/n0.jpg (nut)",
        "    mine/nut/n1.jpg (nut)",
        "    and 1,198 more",
    ]


def test_a_name_cannot_play_with_the_terminal() -> None:
    changes = diff_versions(version(A), version(A, Thing("x", "nut", "mine/\x1b[2Jevil\n.jpg")))
    assert list(changes.lines())[-1] == r"    mine/\x1b[2Jevil\n.jpg (nut)"


def test_they_survive_json() -> None:
    changes = diff_versions(version(A, B), version(A._replace(box=LEFT, split="test"), C))
    assert VersionDiff.model_validate_json(changes.model_dump_json()) == changes


def test_versions_that_were_really_written(tmp_path: Path) -> None:
    given = [replace(photo, stamp=photo.name) for photo in photos(10, 4)]
    first, _ = write_version(given, str(tmp_path), source="mine")
    given[0] = Photo("c11/0.jpg", "c09", given[0].data)
    second, rejected = write_version(
        [*given[:-1], *list(photos(11, 4))[40:]], str(tmp_path), source="mine", before=first
    )
    assert rejected == []
    changes = diff_versions(first, second)
    assert rows(changes.removed) == [(39, "mine/c09/3.jpg")]
    assert [row for row, _ in rows(changes.added)] == [39, 40, 41, 42]
    assert [(one.before.label, one.after.label) for one in changes.relabelled] == [("c00", "c09")]
    assert changes.classes_added == {"c10": 4}
    assert found(changes).keys() <= {"classes_added", "added", "removed", "relabelled", "moved"}


def thing(picture: str, label: str, source: str, box: Box | None, split: str) -> Thing:
    """A row; its other columns hold their defaults, which hypothesis would fill in as well."""
    return Thing(picture, label, source, box, split=split)


things = st.builds(
    thing,
    picture=st.sampled_from("ab"),
    label=st.sampled_from(["nut", "bolt"]),
    source=st.sampled_from(["x.jpg", "y.jpg"]),
    box=st.sampled_from([None, LEFT, shifted(LEFT, 3), RIGHT]),
    split=st.sampled_from(["train", "test"]),
)


@given(st.lists(things, max_size=8), st.lists(things, max_size=8))
def test_every_row_is_accounted_for_once(before: list[Thing], after: list[Thing]) -> None:
    changes = diff_versions(version(*before), version(*after))
    kept = len(before) - len(changes.removed)
    assert kept == len(after) - len(changes.added)
    for listed in (changes.relabelled, changes.moved, changes.reboxed, changes.renamed):
        assert len({one.before.row for one in listed}) == len({one.after.row for one in listed}) == len(listed) <= kept
    assert changes.is_empty == (sorted(before, key=repr) == sorted(after, key=repr))
    pictures = {thing.picture for thing in before} & {thing.picture for thing in after}
    for listed_rows, side in ((changes.removed, before), (changes.added, after)):
        missed = {row.row for row in listed_rows}
        assert all(i in missed for i, thing in enumerate(side) if thing.picture not in pictures)


def test_a_hundred_thousand_rows_take_seconds() -> None:
    before = version(*(Thing(str(i // 3), f"c{i % 1000}", "s.jpg", shifted(LEFT, i % 3 * 20)) for i in range(100_000)))
    after = before.take(range(50_000, 100_000))
    started = time.perf_counter()
    assert found(diff_versions(before, after)) == {"removed": 50_000}
    assert time.perf_counter() - started < 10  # it is 0.8 on an idle machine; what takes the square takes hours


def test_one_picture_with_thousands_of_boxes() -> None:
    boxes = [shifted(LEFT, float(i)) for i in range(2_000)]
    before = version(*(Thing("grain", "seed", box=box) for box in boxes))
    after = version(*(Thing("grain", "seed", box=shifted(box, 0.25)) for box in boxes))
    assert found(diff_versions(before, after)) == {"reboxed": 2_000}


def test_an_image_that_somebody_labels_is_relabelled_and_does_not_move() -> None:
    corrected = Thing("new", "bolt", "mine/None/new.jpg", labelled_by="ann", label_method="correction")
    before = version(A, unlabelled("new"), empty("belt"))
    after = version(A, corrected, Thing("belt", "nut", "mine/None/belt.jpg"))
    changes = diff_versions(before, after)
    assert found(changes) == {"classes_added": 1, "relabelled": 2}
    assert list(changes.lines())[-2:] == [
        "    mine/None/new.jpg: unlabelled image -> bolt (correction by ann)",
        "    mine/None/belt.jpg: empty image -> nut",
    ]
    assert [(change.before.row, change.after.row) for change in changes.relabelled] == [(1, 1), (2, 2)]


def test_an_empty_image_that_moves_or_goes_is_told() -> None:
    changes = diff_versions(version(A, empty("belt"), empty("gone")), version(A, empty("belt", split="test")))
    assert found(changes) == {"moved": 1, "removed": 1}
    assert "    mine/None/belt.jpg (empty image): train -> test" in list(changes.lines())
    assert changes.photos == (3, 2)
    assert changes.classes == (1, 1)


def test_a_label_that_somebody_confirms_is_attributed_and_the_ids_differ() -> None:
    before, after = version(A, B), version(A._replace(labelled_by="ann", label_method="review"), B)
    changes = diff_versions(before, after)
    assert before.id != after.id
    assert found(changes) == {"attributed": 1}
    assert not changes.is_empty
    assert list(changes.lines())[-1] == "    mine/nut/a.jpg (nut): import -> review by ann"


def test_versions_of_different_ids_differ_in_something() -> None:
    """Whatever a row can say and its id covers, the difference shows."""
    noon = datetime(2026, 4, 1, 12, tzinfo=UTC)
    for change in (
        {"labelled_at": noon},
        {"confidence": 0.5},
        {"device": "line 3"},
        {"release": "abc"},
        {"group": "tray"},
        {"captured_at": noon},
        {"margin": 0.5},
        {"box": LEFT},
    ):
        before, after = version(A, B), version(A._replace(**change), B)
        assert before.id != after.id
        assert not diff_versions(before, after).is_empty, change
