"""What is proposed for photos that nobody took: it validates, it fits the splits, and it can be calibrated."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discern.evaluation.threshold_calibration import check_fitting
from discern.use_cases.proposal import (
    LEAST_FPIR,
    MIN_CLASSES,
    SIDES,
    STEPS,
    BatchShape,
    Speed,
    batch_shape,
    foretell,
    image_size,
    limits,
    lowest_fpir,
    propose,
    propose_splits,
    split_counts,
    steps_within,
)
from discern.use_cases.summary import FailedCondition, LeftOut, SplitCounts
from tests.discern.use_cases.summaries import SPEED, classes, summary_of

EVEN = st.builds(classes, st.integers(4, 300), st.integers(3, 200))
UNEVEN = st.dictionaries(st.text("abcdefgh", min_size=3, max_size=6), st.integers(3, 40), min_size=4, max_size=60)


@settings(max_examples=25, deadline=None)
@given(photos=EVEN | UNEVEN, side=st.integers(8, 4000))
def test_a_proposal_fits_its_split(photos: dict[str, int], side: int) -> None:
    summary = summary_of(photos, side)  # the split's own minimum counts are met, or this raises
    proposal = propose("parts", summary, propose_splits(photos), SPEED)
    split = summary.split
    assert proposal.can_be_released == (len(photos) >= MIN_CLASSES)
    for config in (proposal.teacher, proposal.student):
        assert 2 <= config.classes_per_batch <= len(split.train)
        assert config.photos_per_class <= max(2, sorted(split.train)[len(split.train) // 2])
        assert STEPS[0] <= config.steps <= STEPS[1]
    assert proposal.image.size % 16 == 0
    if proposal.can_be_released:
        check_fitting(split.validation_enrolled, split.validation_unknown, proposal.packaging.fpir)
        assert split.test_enrolled
        assert split.test_unknown


@pytest.mark.parametrize("count", [2, 4, 7])
def test_few_classes_make_a_version_but_no_release_and_it_is_said(count: int) -> None:
    photos = classes(count, 10)
    proposal = propose("few", summary_of(photos), propose_splits(photos), SPEED)
    assert proposal.splits.by == "photos"
    (sentence,) = limits(proposal, summary_of(photos))
    assert f"of {count} classes, but no release yet: that takes {MIN_CLASSES}" in sentence


def test_classes_that_no_release_will_know_are_named() -> None:
    photos = classes(12, 15)
    summary = summary_of(photos)
    (sentence,) = limits(propose("parts", summary, propose_splits(photos), SPEED), summary)
    assert len(summary.split.unknown_classes) == 2
    assert all(name in sentence for name in summary.split.unknown_classes)


def test_splits_of_a_source_that_leave_no_unknown_are_told() -> None:
    photos = classes(12, 15)
    split = SplitCounts(
        train=(15,) * 12, validation_enrolled=20, validation_unknown=0, test_enrolled=20, test_unknown=0
    )
    summary = summary_of(photos)
    summary = type(summary)(**{**vars(summary), "split": split})
    proposal = propose("parts", summary, propose_splits(photos), SPEED)
    assert not proposal.can_be_released
    assert "their own splits leave validation no class" in next(limits(proposal, summary))


def test_the_seed_leaves_many_unknowns_to_calibrate_on() -> None:
    photos = classes(11, 4) | {"plenty": 30}
    chosen = split_counts(photos, propose_splits(photos))
    others = [split_counts(photos, propose_splits(photos).model_copy(update={"seed": seed})) for seed in range(10)]
    even = [counts.validation_unknown for counts in others if len(counts.train) == 6]
    assert len(chosen.train) == 6
    assert min(20, chosen.validation_unknown) == min(20, max(even))


@pytest.mark.parametrize(("queries", "fpir"), [(2, 0.5), (3, 0.34), (7, 0.15), (14, 0.08), (20, 0.05), (400, 0.05)])
def test_the_rate_is_one_that_so_many_queries_can_tell(queries: int, fpir: float) -> None:
    assert lowest_fpir(queries) == fpir
    assert fpir >= LEAST_FPIR
    check_fitting(10, queries, fpir)


@pytest.mark.parametrize(("side", "size"), [(8, SIDES[0]), (40, 32), (63, 48), (64, 64), (2000, SIDES[1])])
def test_the_image_is_no_larger_than_the_median_photo(side: int, size: int) -> None:
    assert image_size(side).size == size


def test_a_batch_of_few_classes_has_more_photos_of_each() -> None:
    def counts(*train: int) -> SplitCounts:
        return SplitCounts(train, 1, 2, 1, 1)

    assert batch_shape(counts(*[15] * 6)) == BatchShape(6, 8)
    assert batch_shape(counts(*[15] * 100)) == BatchShape(16, 4)
    assert batch_shape(counts(2, 3)) == BatchShape(2, 2)


def test_steps_follow_the_machine() -> None:
    assert steps_within(100.0) == STEPS[0]
    assert steps_within(0.5) == 300
    assert steps_within(0.0) == STEPS[1]


def test_a_slower_machine_is_foretold_a_longer_time() -> None:
    photos = classes(12, 15)
    proposal = propose("parts", summary_of(photos), propose_splits(photos), SPEED)
    quick = foretell(proposal, SPEED)
    slow = foretell(proposal, Speed(30.0, 40.0, 1.0, 0.4))
    assert slow.data > quick.data
    assert slow.training > quick.training + 1
    assert slow.promotion == quick.promotion


def test_what_is_broken_today_is_let_through_and_not_much_more() -> None:
    photos = classes(12, 15)
    whole = propose("parts", summary_of(photos), propose_splits(photos), SPEED)
    broken = tuple(LeftOut(f"{number}.jpg", f"{number}.jpg is damaged.") for number in range(20))
    holed = propose("parts", summary_of(photos, broken=broken), propose_splits(photos), SPEED)
    assert whole.cleaning.max_rejected_share == 0.01
    assert 0.1 < holed.cleaning.max_rejected_share < 0.25


def test_a_check_that_fails_is_waived_with_what_it_found_but_never_a_strict_one() -> None:
    failed = (
        FailedCondition("dark_images", "at most 1% are dark", "3 of 180"),
        FailedCondition("leakage", "no picture in two splits", "2 are"),
    )
    photos = classes(12, 15)
    waived = propose("parts", summary_of(photos, failed=failed), propose_splits(photos), SPEED).checks.waive
    assert list(waived) == ["dark_images"]
    assert "3 of 180" in waived["dark_images"]


def test_channels_are_the_use_cases_own() -> None:
    photos = classes(12, 15)
    channels = propose("parts", summary_of(photos), propose_splits(photos), SPEED).channels
    assert channels == {"production": "parts-production", "staging": "parts-staging"}
