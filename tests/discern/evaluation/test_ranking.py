from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import CustomKNN

from discern.errors import DataError
from discern.evaluation import ranking
from discern.evaluation.gallery import Gallery
from discern.evaluation.metrics import measure
from discern.evaluation.ranking import map_at_r
from discern.evaluation.retrieval import search
from tests.discern.evaluation.cases import ACCEPT_ALL


def calculator(metric: str, k: int | None = None) -> AccuracyCalculator:
    # Its search defaults to faiss.
    return AccuracyCalculator(
        include=(metric,), k=k, knn_func=CustomKNN(CosineSimilarity()), device=torch.device("cpu")
    )


def tensors(*given: Any) -> list[torch.Tensor]:
    return [torch.tensor(one) for one in given]


def noisy(sizes: list[int], noise: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    ids = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    vectors = rng.normal(size=(len(sizes), 8))[ids] + noise * rng.normal(size=(len(ids), 8))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), ids


def at(*degrees: float) -> np.ndarray:
    radians = np.deg2rad(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_a_case_worked_by_hand() -> None:
    # By the nearest first: 0 finds 10, 15* (1/1 of 2); 10 finds 15*, 0 (1/2 of 2); 30 finds 15*, 10 (1/2 of 2);
    # 15* finds 10 and 52* finds 30 (0 of 1 each).
    found = map_at_r(at(0, 10, 30, 15, 52), np.array([5, 5, 5, 2, 2]))
    assert found == pytest.approx((1 / 2 + 1 / 4 + 1 / 4 + 0 + 0) / 5)


def test_classes_that_lie_apart_rank_perfectly() -> None:
    assert map_at_r(at(0, 1, 90, 91, 180, 181), np.repeat([0, 1, 2], 2)) == 1.0


def test_an_item_alone_in_its_class_is_no_query_but_may_stand_in_the_way() -> None:
    assert map_at_r(at(0, 10, 40), np.array([0, 0, 1])) == 1.0
    assert map_at_r(at(0, 10, 4), np.array([0, 0, 1])) == 0.0
    assert map_at_r(at(0, 140, 100), np.array([0, 0, 1])) == 0.0  # even where all cosines are negative


@pytest.mark.parametrize("noise", [0.6, 1.0, 3.0])
def test_it_is_pytorch_metric_learnings(noise: float, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, ids = noisy([9, 2, 5, 1, 12, 7, 3, 1], noise)
    theirs = calculator("mean_average_precision_at_r").get_accuracy(*tensors(vectors, ids))
    assert 0 < theirs["mean_average_precision_at_r"] < 1
    monkeypatch.setattr(ranking, "BLOCK", 16)
    assert map_at_r(vectors, ids) == pytest.approx(theirs["mean_average_precision_at_r"])


def test_recall_at_1_is_pytorch_metric_learnings_until_a_query_is_an_unknown() -> None:
    vectors, ids = noisy([8] * 10, 0.9)
    enrolled = (np.arange(len(ids)) % 2 == 0) & (ids < 7)
    gallery = Gallery(vectors[enrolled], ids[enrolled], tuple(str(number) for number in range(7)))
    closed, opened = ~enrolled & (ids < 7), ~enrolled
    precision = calculator("precision_at_1", k=1)
    figures = {}
    for name, chosen in (("closed", closed), ("open", opened)):
        ours = measure(
            search(gallery, vectors[chosen], [str(number) for number in ids[chosen]], frozenset()), ACCEPT_ALL
        )
        theirs = precision.get_accuracy(*tensors(vectors[chosen], ids[chosen], gallery.vectors, gallery.class_ids))
        assert ours.recall_at_1 == pytest.approx(theirs["precision_at_1"])
        figures[name] = ours, theirs["precision_at_1"]
    # It drops queries whose class has no gallery item: unknowns change nothing in its figure, though every one of
    # them got a wrong name.
    assert figures["open"][1] == figures["closed"][1]
    assert figures["open"][0].unknown_queries == (opened & (ids >= 7)).sum() > 0
    assert figures["open"][0].accuracy < figures["closed"][0].accuracy


def test_classes_of_one_item_cannot_be_ranked() -> None:
    with pytest.raises(DataError, match="No class has two items"):
        map_at_r(at(0, 10), np.array([0, 1]))
    with pytest.raises(DataError, match="No class has two items"):
        map_at_r(at(), np.array([], np.int64))


@pytest.mark.parametrize("vectors", [at(0), np.full((2, 2), np.nan, np.float32)])
def test_vectors_that_are_no_embeddings_of_the_ids_are_an_error(vectors: np.ndarray) -> None:
    with pytest.raises(ValueError, match="2 finite vectors"):
        map_at_r(vectors, np.array([0, 0]))
