from __future__ import annotations

from typing import Any

import pytest

from discern.evaluation.metrics import Metrics
from discern.use_cases.next_steps import Learnt, next_steps

GOOD: dict[str, Any] = {
    "recall_at_1": 0.95,
    "unseen_recall_at_1": None,
    "tpir": 0.9,
    "unseen_tpir": None,
    "tnir": 0.9,
    "auroc": 0.95,
    "precision": 0.9,
    "recall": 0.9,
    "accuracy": 0.9,
    "enrolled_queries": 100,
    "unseen_queries": 0,
    "unknown_queries": 100,
    "gallery_classes": 10,
}
SCRATCH = Learnt(photos_per_class=20, from_weights=False, trained=True, fpir=0.1)
TUNED = Learnt(photos_per_class=20, from_weights=True, trained=True, fpir=0.1)
UNTRAINED = Learnt(photos_per_class=20, from_weights=True, trained=False, fpir=0.1)
FEW = Learnt(photos_per_class=4, from_weights=True, trained=False, fpir=0.1)


@pytest.mark.parametrize(
    ("figures", "learnt", "says"),
    [
        (
            {"recall_at_1": 0.286, "tpir": 0.0},
            SCRATCH,
            "29% of the queries of enrolled classes found",
        ),
        ({"recall_at_1": 0.286, "tpir": 0.0}, SCRATCH, "start from weights"),
        ({"recall_at_1": 0.4, "tpir": 0.3}, FEW, "take more photos of each class, 10 at least"),
        ({"recall_at_1": 0.4, "tpir": 0.3}, UNTRAINED, "with 400 that train, train it further from the same weights"),
        ({"recall_at_1": 0.4, "tpir": 0.3}, TUNED, "train longer"),
        ({"recall_at_1": None, "tpir": None}, TUNED, "no query of enrolled classes"),
        (
            {"recall_at_1": 0.985, "tpir": 0.559},
            TUNED,
            "refuses much of what is found right: train longer, or",
        ),
        (
            {"recall_at_1": 0.985, "tpir": 0.559},
            UNTRAINED,
            "enrol more photos of each class, or allow a",
        ),
        ({"tnir": 0.3}, TUNED, "set `packaging.fpir` below 0.1"),
        ({"precision": 0.4}, TUNED, "Too low is precision: train longer"),
    ],
)
def test_the_likeliest_step_is_told(figures: dict[str, float | None], learnt: Learnt, says: str) -> None:
    assert says in str(next_steps(Metrics(**{**GOOD, **figures}), learnt))


def test_nothing_is_told_where_every_usual_floor_is_reached() -> None:
    assert next_steps(Metrics(**GOOD), TUNED) is None
    assert next_steps(Metrics(**{**GOOD, "enrolled_queries": 5}), TUNED) is None


def test_few_queries_are_told() -> None:
    told = next_steps(Metrics(**{**GOOD, "recall_at_1": 0.2, "tpir": 0.1, "enrolled_queries": 9}), TUNED)
    assert told is not None
    assert "With 9 queries" in told
