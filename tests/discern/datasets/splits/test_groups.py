from __future__ import annotations

import pytest

from discern.datasets.splits.groups import SplitItem, group_items, inherited


def members(items: list[SplitItem]) -> list[tuple[int, ...]]:
    return [group.members for group in group_items(range(len(items)), items)]


def test_group_items_ties_equal_pictures_and_near_duplicates_of_all_classes() -> None:
    items = [
        SplitItem("a", "1"),
        SplitItem("b", "1", near_duplicates="n"),
        SplitItem("c", "2", near_duplicates="n"),
        SplitItem("a", "3"),
    ]
    assert members(items) == [(0, 1, 2), (3,)]


@pytest.mark.parametrize("tie", ["group", "session"])
def test_group_items_ties_sessions_and_named_groups_of_one_class_alone(tie: str) -> None:
    items = [SplitItem(label, f"{i}", **{tie: "x"}) for i, label in enumerate(["a", "b", "a", None, None])]  # type: ignore[arg-type]
    assert members(items) == [(0, 2), (1,), (3, 4)]


def test_group_items_looks_at_the_items_asked_for_alone() -> None:
    items = [
        SplitItem("a", "1", group="x"),
        SplitItem("a", "2", group="x", session="s"),
        SplitItem("a", "3", session="s"),
    ]
    assert [group.members for group in group_items([0, 2], items)] == [(0,), (2,)]


def test_a_group_counts_its_classes_and_takes_its_key_from_its_pictures() -> None:
    items = [SplitItem("a", "9", near_duplicates="n"), SplitItem("b", "3", near_duplicates="n"), SplitItem("b", "3")]
    (group,) = group_items([0, 1, 2], items)
    assert group.labels == {"a": 1, "b": 2}
    assert group.key == "3"
    assert not group.before


def test_inherited_gives_new_members_the_assignment_of_their_group() -> None:
    items = [
        SplitItem("a", "1", group="g", before=("test", "query")),
        SplitItem("a", "2", group="g"),
        SplitItem("a", "3"),
    ]
    assert inherited(group_items([0, 1, 2], items), items) == {0: ("test", "query"), 1: ("test", "query")}


def test_inherited_gives_a_photo_between_two_assignments_none() -> None:
    items = [
        SplitItem("a", "1", group="g", before=("test", "query")),
        SplitItem("a", "2", group="g", before=("test", "gallery")),
        SplitItem("a", "3", group="g"),
    ]
    assert inherited(group_items([0, 1, 2], items), items) == {0: ("test", "query"), 1: ("test", "gallery")}
