"""What is proposed for photos that nobody took: it validates, it fits the splits, and it can be calibrated."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discern.evaluation.gates import FLOORS, GateConfig
from discern.evaluation.openset import allowed_false_positives
from discern.use_cases.proposal import (
    LEAST_FPIR,
    MIN_CLASSES,
    Speed,
    foretell,
    limits,
    lowest_fpir,
    propose,
    propose_splits,
    split_counts,
)
from discern.use_cases.recipe import STEPS
from discern.use_cases.summary import FailedCondition, LeftOut
from tests.discern.use_cases.summaries import SPEED, classes, summary_of

EVEN = st.builds(classes, st.integers(1, 300), st.integers(3, 200))
UNEVEN = st.dictionaries(st.text("abcdefgh", min_size=3, max_size=6), st.integers(3, 40), min_size=1, max_size=60)


@settings(max_examples=25, deadline=None)
@given(photos=EVEN | UNEVEN, side=st.integers(8, 4000))
def test_a_proposal_fits_its_split(photos: dict[str, int], side: int) -> None:
    summary = summary_of(photos, side)  # the split's own minimum counts are met, or this raises
    proposal = propose("parts", summary, propose_splits(photos), SPEED)
    split = summary.split
    assert split.can_be_released
    for config in filter(None, (proposal.recipe.teacher, proposal.recipe.student)):
        assert 2 <= config.classes_per_batch <= len(split.train)
        assert config.photos_per_class <= max(2, sorted(split.train)[len(split.train) // 2])
        assert STEPS[0] <= config.steps <= STEPS[1]
    assert proposal.recipe.image.size % 16 == 0
    assert split.by_photos or len(photos) >= MIN_CLASSES
    assert split.by_photos or proposal.recipe.student is not None
    assert split.by_photos or split.test_unknown


@pytest.mark.parametrize("count", [1, 2, 6, 7])
def test_photos_of_few_classes_are_held_out_and_it_is_said(count: int) -> None:
    photos = classes(count, 10)
    proposal = propose("few", summary_of(photos), propose_splits(photos), SPEED)
    assert proposal.splits.by == "photos"
    (sentence,) = limits(summary_of(photos))
    assert f"as {MIN_CLASSES} classes are needed to hold some out whole" in sentence
    assert 0 < proposal.packaging.fpir < 0.5


def test_photos_too_few_to_train_on_are_held_out_of_every_class() -> None:
    """The head that is fitted then sees every class."""
    assert propose_splits(classes(12, 15)).by == "photos"
    assert len(split_counts(classes(12, 15), propose_splits(classes(12, 15))).train) == 12
    assert propose_splits(classes(12, 80)).by == "auto"


def test_classes_that_are_asked_as_unknown_are_named() -> None:
    summary = summary_of(classes(12, 80))
    (sentence,) = limits(summary)
    assert len(summary.split.unknown_classes) == 2
    assert all(name in sentence for name in summary.split.unknown_classes)


def test_classes_of_too_few_photos_to_be_measured_are_named() -> None:
    summary = summary_of(classes(4, 10) | {"pair": 2})
    assert summary.split.unasked_classes == ("pair",)
    assert "pair is not measured in every split: that takes 3 photos" in list(limits(summary))[1]


def test_a_first_release_has_to_reach_the_usual_floors() -> None:
    photos = classes(12, 15)
    gates = propose("parts", summary_of(photos), propose_splits(photos), SPEED).gates
    assert gates == GateConfig()
    assert gates.model_fields_set == set(FLOORS)


def test_the_seed_leaves_many_unknowns_to_calibrate_on() -> None:
    photos = classes(11, 80) | {"plenty": 200}
    chosen = split_counts(photos, propose_splits(photos))
    others = [split_counts(photos, propose_splits(photos).model_copy(update={"seed": seed})) for seed in range(10)]
    even = [counts.validation_unknown for counts in others if len(counts.train) == 6]
    assert len(chosen.train) == 6
    assert min(20, chosen.validation_unknown) == min(20, max(even))


@pytest.mark.parametrize(("queries", "fpir"), [(2, 0.5), (3, 0.34), (7, 0.15), (14, 0.08), (20, 0.05), (400, 0.05)])
def test_the_rate_is_one_that_so_many_queries_can_tell(queries: int, fpir: float) -> None:
    assert lowest_fpir(queries) == fpir
    assert fpir >= LEAST_FPIR
    assert allowed_false_positives(queries, fpir) >= 1


def test_a_slower_machine_is_foretold_a_longer_time() -> None:
    photos = classes(12, 150)
    proposal = propose("parts", summary_of(photos), propose_splits(photos), SPEED)
    quick = foretell(proposal, SPEED, 1_800)
    slow = foretell(proposal, Speed(30.0, 40.0, 1.0, 0.4), 1_800)
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
