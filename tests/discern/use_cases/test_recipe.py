"""How a model is learnt follows from the number of photos, from what they look like, and from the machine."""

from __future__ import annotations

import pytest

from discern.use_cases.recipe import (
    FEW_PHOTOS,
    SIDES,
    STEPS,
    BatchShape,
    Way,
    batch_shape,
    image_size,
    recipe_for,
    steps_within,
    way_of,
)
from discern.use_cases.summary import SplitCounts
from tests.discern.use_cases.summaries import classes, summary_of


@pytest.mark.parametrize(
    ("count", "each", "kind", "way"),
    [
        (1, 2000, "photos", "untrained"),
        (12, 15, "photos", "untrained"),
        (12, 15, "grey", "untrained"),
        (12, 200, "photos", "from weights"),
        (6, 200, "grey", "from scratch"),
        (12, 200, "drawings", "from scratch"),
    ],
)
def test_the_way_follows_from_number_and_kind(count: int, each: int, kind: str, way: Way) -> None:
    summary = summary_of(classes(count, each), kind=kind)
    recipe = recipe_for(summary, (1.0, 1.0))
    assert (way_of(summary), recipe.way) == (way, way)
    assert (recipe.teacher is None) == (way != "from scratch")
    assert (recipe.student is None) == (way == "untrained")
    assert (recipe.model.weights is None) == (way == "from scratch")
    assert recipe.student is None or recipe.student.model == recipe.model
    assert (sum(summary.split.train) < FEW_PHOTOS or count == 1) == (way == "untrained")


def test_weights_learn_at_a_lower_rate() -> None:
    rates = {}
    for kind in ("photos", "grey"):
        student = recipe_for(summary_of(classes(12, 200), kind=kind)).student
        assert student is not None
        assert student.mixed_precision == "auto"
        rates[kind] = student.learning_rate
    assert rates == {"photos": 5e-4, "grey": 3e-3}


def test_a_student_without_a_teacher_has_the_time_of_both() -> None:
    steps = {}
    for kind in ("photos", "grey"):
        student = recipe_for(summary_of(classes(12, 200), kind=kind), (1.0, 1.0)).student
        assert student is not None
        steps[kind] = student.steps
    assert steps == {"photos": 600, "grey": 300}


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
    assert steps_within(1.0) == 300
    assert steps_within(0.0) == STEPS[1]
