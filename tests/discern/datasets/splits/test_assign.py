from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from discern.datasets.splits.assign import SplitConfig, SplitItem, assign
from discern.errors import DataError


def samples(classes: int, each: int) -> list[SplitItem]:
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
def test_every_split_can_be_used(classes: int, each: int, config: SplitConfig) -> None:
    photos = samples(classes, each)
    assigned = assign(photos, config)
    splits_of = defaultdict(set)
    roles_of: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for sample, place in zip(photos, assigned, strict=True):
        assert place is not None
        split, role = place
        splits_of[sample.label].add(split)
        roles_of[split, sample.label][role] += 1
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


def test_the_seed_decides() -> None:
    photos = samples(30, 4)
    assert assign(photos, SplitConfig(seed=1)) == assign(photos, SplitConfig(seed=1))
    assert assign(photos, SplitConfig(seed=1)) != assign(photos, SplitConfig(seed=2))


def test_the_order_of_the_photos_does_not() -> None:
    photos = samples(30, 4)
    forward = dict(zip(photos, assign(photos, SplitConfig()), strict=True))
    backward = dict(zip(photos[::-1], assign(photos[::-1], SplitConfig()), strict=True))
    assert forward == backward


def test_what_joins_later_moves_no_old_photo_to_another_split() -> None:
    old, new = samples(40, 4), samples(50, 7)
    before = dict(zip(old, assign(old, SplitConfig()), strict=True))
    after = dict(zip(new, assign(new, SplitConfig()), strict=True))
    pairs = [(before[sample], after[sample]) for sample in old]
    assert all(one and other and one[0] == other[0] for one, other in pairs)


def test_photos_of_one_group_stay_on_one_side() -> None:
    photos = [SplitItem(f"c{i % 10}", f"{i}", group=f"session {i // 30}") for i in range(120)]
    sides = defaultdict(set)
    for sample, place in zip(photos, assign(photos, SplitConfig(shots=1)), strict=True):
        sides[sample.label, sample.group].add(place)
    assert all(len(places) == 1 for places in sides.values())
    assert {("test", "gallery")} in sides.values()
    assert {("test", "query")} in sides.values()


def test_equal_images_stay_on_one_side_and_join_their_groups() -> None:
    photos = []
    for label in range(10):
        photos += [SplitItem(f"c{label}", f"{label} twin", group=f"g{i}") for i in range(2)]
        photos += [SplitItem(f"c{label}", f"{label}-{i}", group=f"g{i % 3}") for i in range(6)]
    for config in (SplitConfig(shots=1, seed=seed) for seed in range(10)):
        sides = defaultdict(set)
        for sample, place in zip(photos, assign(photos, config), strict=True):
            joined = "g0" if sample.group in {"g0", "g1"} else sample.group
            sides[sample.label, joined].add(place)
        assert all(len(places) == 1 for places in sides.values())


def test_a_source_that_splits_is_obeyed() -> None:
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


def test_official_splits_of_new_classes_are_enrolled_by_us() -> None:
    photos = [SplitItem("a", "1", split="train"), *(SplitItem("b", f"b{i}", split="test") for i in range(5))]
    roles = [place[1] for place in assign(photos, SplitConfig(shots=2)) if place]
    assert Counter(roles[1:]) == {"gallery": 2, "query": 3}


def test_too_few_classes_say_how_many_are_needed() -> None:
    with pytest.raises(DataError, match="there are 7 classes, and at least 8 are needed"):
        assign(samples(7, 4), SplitConfig())
    assert assign(samples(6, 4), SplitConfig(unknown_share=0))


def test_classes_that_cannot_be_enrolled_and_asked_are_not_held_out() -> None:
    single = [SplitItem(f"single{i}", f"s{i}") for i in range(20)]
    photos = samples(8, 4) + single
    assigned = assign(photos, SplitConfig(validation_share=0.4, test_share=0.4))
    assert {place for sample, place in zip(photos, assigned, strict=True) if sample in single} == {("train", "gallery")}
    with pytest.raises(DataError, match=r"0 of 8 classes have photos both to enrol and to ask .* \('c0' has none\)"):
        assign(samples(8, 1), SplitConfig())


@pytest.mark.parametrize("tie", ["group", "near_duplicates", "session"])
def test_what_belongs_together_stays_on_one_side(tie: str) -> None:
    photos = [
        SplitItem(sample.label, sample.sha256, **{tie: f"{number % 3}"})  # type: ignore[arg-type]
        for sample, number in zip(samples(20, 9), range(180), strict=True)
    ]
    sides = defaultdict(set)
    for sample, place in zip(photos, assign(photos, SplitConfig(shots=2)), strict=True):
        sides[sample.label, getattr(sample, tie)].add(place)
    assert all(len(places) == 1 for places in sides.values())
    assert len({place for places in sides.values() for place in places}) == 5  # gallery and query, of both, and train


def said(photos: Sequence[SplitItem], config: SplitConfig) -> list[SplitItem]:
    """The same photos, as the next version finds them."""
    places = assign(photos, config)
    return [dataclasses.replace(sample, before=place) for sample, place in zip(photos, places, strict=True)]


@pytest.mark.parametrize("by", ["classes", "photos"])
@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), more=st.integers(1, 6), new_classes=st.integers(0, 12), removed=st.integers(0, 3))
def test_no_old_photo_moves_when_photos_join_or_leave(
    by: Literal["classes", "photos"], seed: int, more: int, new_classes: int, removed: int
) -> None:
    config = SplitConfig(by=by, seed=seed, shots=2)
    old = said(samples(14, 4), config)
    kept = [sample for sample in old if not sample.sha256.endswith(f"-{removed}")]
    joining = [sample for sample in samples(14 + new_classes, 4 + more) if sample.sha256 not in {s.sha256 for s in old}]
    places = assign([*joining[::2], *kept, *joining[1::2]], config)
    now = dict(zip([*joining[::2], *kept, *joining[1::2]], places, strict=True))
    assert all(now[sample] == sample.before for sample in kept)
    assert all(now[sample] is not None for sample in joining)
    if by == "classes":
        splits_of = defaultdict(set)
        for sample, place in now.items():
            assert place is not None
            splits_of[sample.label].add(place[0])
        assert all(len(splits) == 1 for splits in splits_of.values())


def test_a_new_photo_follows_what_it_belongs_to() -> None:
    config = SplitConfig(shots=2)
    old = said(samples(20, 4), config)
    new = [dataclasses.replace(sample, sha256=f"{sample.sha256} again", group="g", before=None) for sample in old[::4]]
    tied = [dataclasses.replace(sample, group="g") if i % 4 == 0 else sample for i, sample in enumerate(old)]
    places = assign([*tied, *new], config)
    assert places[80:] == [sample.before for sample in old[::4]]


def test_a_photo_that_ties_both_sides_together_gets_no_place() -> None:
    config = SplitConfig(shots=2)
    old = said(samples(20, 4), config)
    held = {s.label for s in old if s.before and s.before[1] == "gallery" and s.before[0] != "train"}
    label = min(held)
    tied = [dataclasses.replace(sample, group="g") if sample.label == label else sample for sample in old]
    *places, bridge = assign([*tied, SplitItem(label, "new", group="g")], config)
    assert bridge is None
    assert places == [sample.before for sample in old]


def test_photos_of_every_class_train_where_photos_are_split() -> None:
    photos = samples(12, 8)
    assigned = assign(photos, SplitConfig(by="photos", validation_share=0.3, test_share=0.3))
    trained = {sample.label for sample, place in zip(photos, assigned, strict=True) if place == ("train", "gallery")}
    assert trained == {f"c{i}" for i in range(12)}
    assert set(assigned) == {("train", "gallery"), ("validation", "query"), ("test", "query")}
    assert set(assign(samples(1, 1), SplitConfig(by="photos"))) == {("train", "gallery")}


def test_photos_without_a_split_join_their_class_where_the_source_put_it() -> None:
    photos = [
        *(SplitItem(f"c{label}", f"{label}-{i}", split="train") for label in range(10) for i in range(2)),
        *(SplitItem(f"c{label}", f"{label}+{i}") for label in range(10) for i in range(3)),
        *(SplitItem(f"new{label}", f"new{label}-{i}") for label in range(9) for i in range(4)),
    ]
    splits_of = defaultdict(set)
    for sample, place in zip(photos, assign(photos, SplitConfig()), strict=True):
        assert place is not None
        splits_of[sample.label].add(place[0])
    assert all(len(splits) == 1 for splits in splits_of.values())
    assert all(splits_of[f"c{label}"] == {"train"} for label in range(10))


def test_few_sets_of_photos_still_fill_every_split() -> None:
    photos = [SplitItem("a", f"{i}", session=f"{i % 3}") for i in range(30)]
    for seed in range(20):
        places = assign(photos, SplitConfig(by="photos", seed=seed, validation_share=0.1, test_share=0.1))
        assert {place[0] for place in places if place} == {"train", "validation", "test"}


@pytest.mark.parametrize(
    "values", [{"test_share": 0.6, "validation_share": 0.4}, {"shots": 0}, {"shot": 3}, {"unknown_share": 1}]
)
def test_a_config_that_makes_no_sense_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        SplitConfig.model_validate(values)
