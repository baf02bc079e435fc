from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discern.datasets.splits.assign import SplitConfig, SplitItem, assign
from discern.errors import DataError


def items_of(classes: int, each: int) -> list[SplitItem]:
    return [SplitItem(f"c{label}", f"{label}-{number}") for label in range(classes) for number in range(each)]


@settings(deadline=None, max_examples=60)
@given(
    classes=st.integers(8, 40),
    each=st.integers(2, 6),
    config=st.builds(
        SplitConfig,
        seed=st.integers(0, 2**40),
        validation_share=st.floats(0.05, 0.45),
        test_share=st.floats(0.05, 0.45),
        unknown_share=st.floats(0, 0.9),
        shots=st.integers(1, 8),
    ),
)
def test_assign_fills_every_split_with_classes_to_enrol_and_to_ask(
    classes: int, each: int, config: SplitConfig
) -> None:
    photos = items_of(classes, each)
    assigned = assign(photos, config)
    splits_of = defaultdict(set)
    roles_of: dict[tuple[str, str | None], Counter[str | None]] = defaultdict(Counter)
    for item, assignment in zip(photos, assigned, strict=True):
        assert assignment is not None
        split, role = assignment
        splits_of[item.label].add(split)
        roles_of[split, item.label][role] += 1
    assert all(len(splits) == 1 for splits in splits_of.values())
    for split in ("validation", "test"):
        classes_of = [roles for (name, _), roles in roles_of.items() if name == split]
        enrolled = [roles for roles in classes_of if roles["gallery"]]
        assert len(enrolled) >= 2
        assert all(roles["query"] for roles in classes_of)
        assert all(roles["gallery"] == min(config.shots, each - 1) for roles in enrolled)
        if config.unknown_share > 0:
            assert len(classes_of) > len(enrolled)
    trained = [roles for (name, _), roles in roles_of.items() if name == "train"]
    assert len(trained) >= 2
    assert not any(roles["query"] for roles in trained)


def test_assign_depends_on_the_seed() -> None:
    photos = items_of(30, 4)
    assert assign(photos, SplitConfig(seed=1)) == assign(photos, SplitConfig(seed=1))
    assert assign(photos, SplitConfig(seed=1)) != assign(photos, SplitConfig(seed=2))


def test_assign_does_not_depend_on_the_order_of_the_photos() -> None:
    photos = items_of(30, 4)
    forward = dict(zip(photos, assign(photos, SplitConfig()), strict=True))
    backward = dict(zip(photos[::-1], assign(photos[::-1], SplitConfig()), strict=True))
    assert forward == backward


def test_photos_that_join_later_move_no_old_photo_to_another_split() -> None:
    old, new = items_of(40, 4), items_of(50, 7)
    before = dict(zip(old, assign(old, SplitConfig()), strict=True))
    after = dict(zip(new, assign(new, SplitConfig()), strict=True))
    pairs = [(before[item], after[item]) for item in old]
    assert all(first and second and first[0] == second[0] for first, second in pairs)


def test_photos_of_one_group_stay_on_one_side() -> None:
    photos = [SplitItem(f"c{i % 10}", f"{i}", group=f"session {i // 30}") for i in range(120)]
    sides = defaultdict(set)
    for item, assignment in zip(photos, assign(photos, SplitConfig(shots=1)), strict=True):
        sides[item.label, item.group].add(assignment)
    assert all(len(assignments) == 1 for assignments in sides.values())
    assert {("test", "gallery")} in sides.values()
    assert {("test", "query")} in sides.values()


def test_equal_images_stay_on_one_side_and_join_their_groups() -> None:
    photos = []
    for label in range(10):
        photos += [SplitItem(f"c{label}", f"{label} twin", group=f"g{i}") for i in range(2)]
        photos += [SplitItem(f"c{label}", f"{label}-{i}", group=f"g{i % 3}") for i in range(6)]
    for config in (SplitConfig(shots=1, seed=seed) for seed in range(10)):
        sides = defaultdict(set)
        for item, assignment in zip(photos, assign(photos, config), strict=True):
            joined = "g0" if item.group in {"g0", "g1"} else item.group
            sides[item.label, joined].add(assignment)
        assert all(len(assignments) == 1 for assignments in sides.values())


def test_the_split_and_the_role_of_a_source_stay() -> None:
    photos = [
        SplitItem("a", "1", split="train"),
        SplitItem("b", "2", split="train", role="gallery"),
        SplitItem("a", "3", split="test"),  # a known class: asked, its gallery is the training photo
        SplitItem("c", "4", split="test", role="gallery"),
        SplitItem("c", "5", split="test", role="query"),
    ]
    expected = [
        ("train", "gallery"),
        ("train", "gallery"),
        ("test", "query"),
        ("test", "gallery"),
        ("test", "query"),
    ]
    assert assign(photos, SplitConfig()) == expected


def test_a_class_that_its_source_holds_out_without_roles_is_enrolled() -> None:
    photos = [SplitItem("a", "1", split="train"), *(SplitItem("b", f"b{i}", split="test") for i in range(5))]
    roles = [assignment[1] for assignment in assign(photos, SplitConfig(shots=2)) if assignment]
    assert Counter(roles[1:]) == {"gallery": 2, "query": 3}


def test_too_few_classes_say_how_many_are_needed() -> None:
    with pytest.raises(DataError, match="there are 7 classes, and at least 8 are needed"):
        assign(items_of(7, 4), SplitConfig())
    assert assign(items_of(6, 4), SplitConfig(unknown_share=0))
    with pytest.raises(DataError, match=r"there is 1 class, .*: set `splits: \{by: photos\}`"):
        assign(items_of(1, 4), SplitConfig())


@pytest.mark.parametrize("classes", [1, 2, 6, 7, 8])
def test_auto_is_by_photos_where_too_few_classes_can_be_held_out(classes: int) -> None:
    photos = items_of(classes, 4)
    by = "photos" if classes < 8 else "classes"
    assert assign(photos, SplitConfig(by="auto")) == assign(photos, SplitConfig(by=by))


def test_auto_is_by_photos_where_photos_of_too_few_classes_can_be_told_apart() -> None:
    photos = items_of(5, 4) + [SplitItem(f"single{i}", f"s{i}") for i in range(5)]
    assert assign(photos, SplitConfig(by="auto")) == assign(photos, SplitConfig(by="photos"))


@pytest.mark.parametrize("classes", [6, 8])
def test_auto_stays_as_it_was_when_classes_join(classes: int) -> None:
    config = SplitConfig(by="auto")
    grown = [*as_earlier(items_of(classes, 4), config), *items_of(24, 4)[4 * classes :]]
    by = "photos" if classes < 8 else "classes"
    assert assign(grown, config) == assign(grown, SplitConfig(by=by))


def test_a_class_of_one_group_is_not_held_out() -> None:
    single = [SplitItem(f"single{i}", f"s{i}") for i in range(20)]
    photos = items_of(8, 4) + single
    assigned = assign(photos, SplitConfig(validation_share=0.4, test_share=0.4))
    assert set(assigned[-len(single) :]) == {("train", "gallery")}
    with pytest.raises(DataError, match=r"0 of 8 classes have photos both to enrol and to ask .* \('c0' has none\)"):
        assign(items_of(8, 1), SplitConfig())


@pytest.mark.parametrize("tie", ["group", "near_duplicates", "session"])
def test_tied_photos_stay_on_one_side(tie: str) -> None:
    photos = [
        SplitItem(item.label, item.sha256, **{tie: f"{number % 3}"})  # type: ignore[arg-type]
        for item, number in zip(items_of(20, 9), range(180), strict=True)
    ]
    sides = defaultdict(set)
    for item, assignment in zip(photos, assign(photos, SplitConfig(shots=2)), strict=True):
        sides[item.label, getattr(item, tie)].add(assignment)
    assert all(len(assignments) == 1 for assignments in sides.values())
    assert len(set.union(*sides.values())) == 5  # gallery and query, of both, and train


def as_earlier(photos: Sequence[SplitItem], config: SplitConfig) -> list[SplitItem]:
    """The same photos, with what this version makes of them as their earlier assignment."""
    assignments = assign(photos, config)
    return [dataclasses.replace(item, before=assignment) for item, assignment in zip(photos, assignments, strict=True)]


@pytest.mark.parametrize("by", ["classes", "photos", "auto"])
@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), more=st.integers(1, 6), new_classes=st.integers(0, 12), removed=st.integers(0, 3))
def test_no_old_photo_moves_when_photos_join_or_leave(
    by: Literal["classes", "photos", "auto"], seed: int, more: int, new_classes: int, removed: int
) -> None:
    config = SplitConfig(by=by, seed=seed, shots=2)
    old = as_earlier(items_of(14, 4), config)
    kept = [item for item in old if not item.sha256.endswith(f"-{removed}")]
    joining = [item for item in items_of(14 + new_classes, 4 + more) if item.sha256 not in {s.sha256 for s in old}]
    assignments = assign([*joining[::2], *kept, *joining[1::2]], config)
    now = dict(zip([*joining[::2], *kept, *joining[1::2]], assignments, strict=True))
    assert all(now[item] == item.before for item in kept)
    assert all(now[item] is not None for item in joining)
    if by != "photos":
        splits_of = defaultdict(set)
        for item, assignment in now.items():
            assert assignment is not None
            splits_of[item.label].add(assignment[0])
        assert all(len(splits) == 1 for splits in splits_of.values())


def test_a_new_photo_follows_its_group() -> None:
    config = SplitConfig(shots=2)
    old = as_earlier(items_of(20, 4), config)
    new = [dataclasses.replace(item, sha256=f"{item.sha256} again", group="g", before=None) for item in old[::4]]
    tied = [dataclasses.replace(item, group="g") if i % 4 == 0 else item for i, item in enumerate(old)]
    assignments = assign([*tied, *new], config)
    assert assignments[80:] == [item.before for item in old[::4]]


def test_a_photo_that_ties_both_sides_together_gets_no_assignment() -> None:
    config = SplitConfig(shots=2)
    old = as_earlier(items_of(20, 4), config)
    label = next(item.label for item in old if item.before == ("test", "gallery"))
    tied = [dataclasses.replace(item, group="g") if item.label == label else item for item in old]
    *assignments, bridge = assign([*tied, SplitItem(label, "new", group="g")], config)
    assert bridge is None
    assert assignments == [item.before for item in old]


def test_by_photos_trains_on_every_class() -> None:
    photos = items_of(12, 8)
    assigned = assign(photos, SplitConfig(by="photos", validation_share=0.3, test_share=0.3))
    trained = {
        item.label for item, assignment in zip(photos, assigned, strict=True) if assignment == ("train", "gallery")
    }
    assert trained == {f"c{i}" for i in range(12)}
    assert set(assigned) == {("train", "gallery"), ("validation", "query"), ("test", "query")}
    assert set(assign(items_of(1, 1), SplitConfig(by="photos"))) == {("train", "gallery")}


def test_photos_without_a_split_join_their_class_where_the_source_put_it() -> None:
    photos = [
        *(SplitItem(f"c{label}", f"{label}-{i}", split="train") for label in range(10) for i in range(2)),
        *(SplitItem(f"c{label}", f"{label}+{i}") for label in range(10) for i in range(3)),
        *(SplitItem(f"new{label}", f"new{label}-{i}") for label in range(9) for i in range(4)),
    ]
    splits_of = defaultdict(set)
    for item, assignment in zip(photos, assign(photos, SplitConfig()), strict=True):
        assert assignment is not None
        splits_of[item.label].add(assignment[0])
    assert all(len(splits) == 1 for splits in splits_of.values())
    assert all(splits_of[f"c{label}"] == {"train"} for label in range(10))


def test_by_photos_fills_every_split_from_few_groups() -> None:
    photos = [SplitItem("a", f"{i}", session=f"{i % 3}") for i in range(30)]
    for seed in range(20):
        assignments = assign(photos, SplitConfig(by="photos", seed=seed, validation_share=0.1, test_share=0.1))
        assert {assignment[0] for assignment in assignments if assignment} == {"train", "validation", "test"}


def test_assign_gives_what_it_gave_when_the_first_versions_were_split() -> None:
    photos = items_of(20, 4)
    assigned = assign(photos, SplitConfig())
    heldout = defaultdict(list)
    for item, assignment in zip(photos, assigned, strict=True):
        assert assignment is not None
        split, role = assignment
        if split != "train":
            heldout[item.label].append(f"{split} {role}")
    query, gallery = ["test query", "validation query"], ["test gallery", "validation gallery"]
    assert heldout == {
        "c0": query[:1] * 4,
        "c1": [query[1], *gallery[1:] * 3],
        "c2": [*gallery[1:] * 2, query[1], gallery[1]],
        "c3": query[1:] * 4,
        "c4": query[:1] * 4,
        "c5": [*gallery[:1] * 2, query[0], gallery[0]],
        "c7": query[1:] * 4,
        "c8": [query[0], *gallery[:1] * 3],
        "c10": [query[0], *gallery[:1] * 3],
        "c11": [query[1], *gallery[1:] * 3],
        "c19": [*gallery[:1] * 2, query[0], gallery[0]],
    }
    by_photos = dict(zip(photos, assign(photos, SplitConfig(by="photos", seed=7)), strict=True))
    tested = [item.sha256 for item in photos if by_photos[item] == ("test", "query")]
    assert " ".join(tested) == (
        "0-3 1-0 2-0 3-1 3-3 4-2 5-3 6-3 7-0 8-2 9-3 10-1 11-3 12-1 13-0 13-2 14-2 15-2 16-2 17-3 18-0 19-3"
    )


def test_a_grown_version_keeps_the_share_of_unknown_classes() -> None:
    config = SplitConfig(unknown_share=0.3)
    earlier = as_earlier(items_of(60, 4), config)
    grown = [*earlier, *items_of(120, 4)[len(earlier) :]]
    enrolled: dict[tuple[str, str | None], bool] = defaultdict(bool)
    for item, assignment in zip(grown, assign(grown, config), strict=True):
        assert assignment is not None
        split, role = assignment
        enrolled[split, item.label] |= role == "gallery"
    for split in ("validation", "test"):
        classes = [is_enrolled for (name, _), is_enrolled in enrolled.items() if name == split]
        assert classes.count(False) == round(0.3 * len(classes))


def test_whole_groups_join_the_gallery_until_it_has_its_shots() -> None:
    photos = [SplitItem(item.label, item.sha256, group=item.sha256[-1]) for item in items_of(20, 5) * 2]
    photos = [dataclasses.replace(photo, sha256=f"{i} {photo.sha256}") for i, photo in enumerate(photos)]
    assigned = assign(photos, SplitConfig(shots=3))
    galleries = Counter(
        photo.label for photo, assignment in zip(photos, assigned, strict=True) if assignment == ("test", "gallery")
    )
    assert set(galleries.values()) == {4}  # two groups of two photos


@pytest.mark.parametrize("new_photos", [2, 3])
def test_an_enrolled_class_gets_gallery_photos_up_to_its_shots_when_it_grows(new_photos: int) -> None:
    config = SplitConfig(shots=3)
    earlier = as_earlier(items_of(20, 2), config)
    enrolled = [item.label for item in earlier if item.before == ("test", "gallery")]
    new = [SplitItem(label, f"{label} {i}") for label in enrolled for i in range(new_photos)]
    assigned = Counter(assign([*earlier, *new], config)[len(earlier) :])
    assert assigned["test", "gallery"] == 2 * len(enrolled)
    assert assigned["test", "query"] == (new_photos - 2) * len(enrolled)


def test_a_class_with_a_photo_that_trains_is_not_held_out() -> None:
    mixed = [SplitItem("mixed", "1", before=("train", "gallery")), SplitItem("mixed", "2", before=("test", "query"))]
    assert assign([*mixed, SplitItem("mixed", "3"), *items_of(10, 4)], SplitConfig())[:3] == [
        ("train", "gallery"),
        ("test", "query"),
        ("train", "gallery"),
    ]


def test_by_photos_leaves_every_class_a_photo_to_train_whatever_the_shares() -> None:
    photos = items_of(30, 3)
    for seed in range(5):
        config = SplitConfig(by="photos", seed=seed, validation_share=0.49, test_share=0.49)
        assigned = assign(photos, config)
        assigned = assign(photos, config)
        trained = {photos[i].label for i, assignment in enumerate(assigned) if assignment == ("train", "gallery")}
        assert trained == {f"c{i}" for i in range(30)}
