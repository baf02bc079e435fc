"""The source's own split, kept, put aside or completed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from discern.datasets.splits.assign import Assignment, assign
from discern.datasets.splits.config import SplitConfig
from discern.datasets.splits.groups import SplitItem
from discern.datasets.splits.official import missing_parts, with_official_split
from discern.errors import DataError
from discern.sources.base import Split


def items(*parts: Split, classes: int = 4, each: int = 10) -> list[SplitItem]:
    """So many photos of each class in each part."""
    return [
        SplitItem(f"c{label}", f"{part}-{label}-{photo}", split=part)
        for part in parts
        for label in range(classes)
        for photo in range(each)
    ]


def assigned(of: Sequence[SplitItem], config: SplitConfig) -> list[Assignment | None]:
    return assign(with_official_split(of, config), config)


PHOTOS = SplitConfig(by="photos", official="add_test")
CLASSES = SplitConfig(official="add_test")


def test_the_split_is_kept_unless_somebody_says_otherwise() -> None:
    of = items("train", "validation")
    assert with_official_split(of, SplitConfig()) == of
    assert SplitConfig().official == "keep"


def test_the_split_may_be_put_aside() -> None:
    of = items("train", "test")
    config = SplitConfig(by="photos", official="ignore")
    plain = [replace(item, split=None) for item in of]
    assert assigned(of, config) == assign(plain, SplitConfig(by="photos"))


@pytest.mark.parametrize("config", [PHOTOS, CLASSES])
def test_a_test_part_is_split_off_the_training_photos(config: SplitConfig) -> None:
    of = items("train", "validation")
    answers = assigned(of, config)
    counts = Counter((item.split, answer[0]) for item, answer in zip(of, answers, strict=True) if answer)
    assert counts["validation", "validation"] == 40
    assert counts["train", "train"] + counts["train", "test"] == 40
    assert 2 <= counts["train", "test"] <= 16
    assert {item.label for item, answer in zip(of, answers, strict=True) if answer == ("train", "gallery")} == {
        "c0",
        "c1",
        "c2",
        "c3",
    }


def test_whole_classes_are_split_off_where_the_source_holds_whole_classes_out() -> None:
    of = items("train", classes=12)
    of += [replace(item, label=f"held {item.label}", split="validation", sha256=f"v{item.sha256}") for item in of[:40]]
    answers = assigned(of, CLASSES)
    splits = {item.label: {answer[0] for answer in answers_of} for item, answers_of in _by_label(of, answers)}
    assert all(len(found) == 1 for found in splits.values())
    assert sum(found == {"test"} for found in splits.values()) >= 3
    assert sum(found == {"validation"} for found in splits.values()) == 4


def _by_label(
    of: Sequence[SplitItem], answers: Sequence[Assignment | None]
) -> list[tuple[SplitItem, list[Assignment]]]:
    labels = {item.label: item for item in of}
    return [
        (first, [answer for item, answer in zip(of, answers, strict=True) if answer and item.label == label])
        for label, first in labels.items()
    ]


def test_what_is_there_is_not_split_off_again() -> None:
    of = items("train", "validation", "test")
    assert with_official_split(of, PHOTOS) == of
    assert missing_parts(of) == []
    assert missing_parts(items("train")) == ["test", "validation"]
    assert missing_parts(items("test")) == [], "nothing trains, so there is nothing to split off"


def test_photos_that_belong_to_another_part_stay() -> None:
    of = items("train", "validation", each=6)
    of = [replace(item, near_duplicates=item.sha256[-3:]) for item in of]  # each has a twin in the other part
    assert with_official_split(of, PHOTOS) == of


def test_photos_that_join_move_none() -> None:
    of = items("train", "validation", each=30)
    fewer = [item for item in of if not item.sha256.endswith(("7", "8", "9"))]
    before = dict(zip([item.sha256 for item in fewer], assigned(fewer, PHOTOS), strict=True))
    grown = [replace(item, before=before.get(item.sha256)) for item in of]
    again = assigned(grown, PHOTOS)
    assert {item.sha256: answer for item, answer in zip(of, again, strict=True) if item.sha256 in before} == before


def test_too_few_classes_to_hold_some_out_are_named() -> None:
    of = items("train", classes=4)
    of += [replace(item, label=f"held {item.label}", split="validation", sha256=f"v{item.sha256}") for item in of]
    with pytest.raises(DataError, match="there are 4 classes"):
        assigned(of, CLASSES)
