"""Few-shot tasks on embeddings: N-way K-shot episodes, and one-shot runs whose alternatives are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from discern.errors import DataError

NORMAL_95 = 1.96  # standard deviations of a normal distribution on either side of a 95 % interval


class EpisodeAccuracy(BaseModel):
    """Mean accuracy over episodes, with the interval of the few-shot literature (Snell et al., NeurIPS 2017).

    Attributes:
        mean: share of right answers, 0 to 1.
        half_width: of the 95 % interval around the mean: 1.96 sample standard deviations / sqrt(episodes).
        episodes: number of episodes.
    """

    model_config = ConfigDict(frozen=True)

    mean: float
    half_width: float
    episodes: int


@dataclass(frozen=True)
class Episodes:
    """A model's answers in randomly drawn episodes.

    Attributes:
        hits: [episodes, ways, queries] whether the query is nearest to the prototype of its own class.
        class_ids: [episodes, ways] the classes of each episode.
    """

    hits: NDArray[np.bool_]
    class_ids: NDArray[np.int64]

    def accuracy(self) -> EpisodeAccuracy:
        """Return the mean accuracy with its interval over the episodes."""
        accuracies = self.hits.mean(axis=(1, 2))
        half_width = NORMAL_95 * accuracies.std(ddof=1) / np.sqrt(len(accuracies))
        return EpisodeAccuracy(mean=float(accuracies.mean()), half_width=float(half_width), episodes=len(accuracies))


class GroupErrors(BaseModel):
    """Share of wrong answers, 0 to 1: over all queries, and over those of each group; and whether each was right."""

    model_config = ConfigDict(frozen=True)

    error: float
    by_group: dict[str, float]
    right: tuple[bool, ...]


def play_episodes(
    vectors: NDArray[np.float32],
    class_ids: NDArray[np.int64],
    *,
    ways: int,
    shots: int,
    queries: int,
    episodes: int = 1000,
    seed: int = 0,
) -> Episodes:
    """Draw episodes and answer each query by its nearest prototype.

    An episode (Vinyals et al., NeurIPS 2016) draws `ways` classes, and of each class `shots` items for its prototype
    (their mean, of unit length; likeness is the cosine) and `queries` further items to be told apart, without
    replacement. The same seed draws the same episodes, so that two models can be compared query by query.

    Args:
        vectors: [n, d] unit length.
        class_ids: [n].
        ways: classes an episode, at least 2.
        shots: labelled items a class.
        queries: queries a class.
        episodes: at least 2.
        seed: of the draws.

    Raises:
        DataError: there are fewer classes than `ways`, or a class has fewer items than `shots + queries`.
        ValueError: a number is too small for an episode, or the vectors are not finite or not as many as the ids.
    """
    if min(ways, episodes) < 2 or min(shots, queries) < 1:
        raise ValueError("an interval needs 2 episodes, and an episode 2 ways, 1 shot and 1 query")
    if len(vectors) != len(class_ids) or not np.isfinite(vectors).all():
        raise ValueError(f"{len(class_ids)} finite vectors are needed, one for each class id")
    table, sizes = _rows_by_class(class_ids)
    items = shots + queries
    if len(table) < ways:
        raise DataError(
            f"An episode of {ways} ways needs as many classes, but there are {len(table)}: draw fewer ways."
        )
    if sizes.min() < items:
        raise DataError(
            f"An episode takes {shots} shots and {queries} queries of a class, but class "
            f"{np.unique(class_ids)[sizes.argmin()]} has {sizes.min()} items: draw fewer, or leave such classes out."
        )
    rng = np.random.default_rng(seed)
    hits, drawn = np.empty((episodes, ways, queries), dtype=bool), np.empty((episodes, ways), dtype=np.int64)
    for episode in range(episodes):
        classes = rng.choice(len(table), ways, replace=False)
        order = rng.random((ways, table.shape[1]))
        order[np.arange(table.shape[1]) >= sizes[classes, None]] = np.inf  # cells without an item come last
        rows = np.take_along_axis(table[classes], order.argsort(axis=1)[:, :items], axis=1)
        hits[episode], drawn[episode] = _nearest_is_own(vectors[rows], shots), class_ids[rows[:, 0]]
    return Episodes(hits, drawn)


def _rows_by_class(class_ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of each class, [classes, most], filled up with 0, and the number of rows of each class."""
    _, sizes = np.unique(class_ids, return_counts=True)
    table = np.zeros((len(sizes), sizes.max(initial=0)), dtype=np.int64)
    table[np.arange(table.shape[1]) < sizes[:, None]] = np.argsort(class_ids, kind="stable")
    return table, sizes


def _nearest_is_own(episode: NDArray[np.float32], shots: int) -> NDArray[np.bool_]:
    """Answer an episode [ways, shots + queries, d]; return whether each query is right, [ways, queries]."""
    prototypes = episode[:, :shots].mean(axis=1)
    # Shots that cancel each other out have no direction: their prototype stays as it is, about 0.
    prototypes /= np.maximum(np.linalg.norm(prototypes, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    nearest = (episode[:, shots:] @ prototypes.T).argmax(axis=2)
    own: NDArray[np.bool_] = nearest == np.arange(len(episode))[:, None]
    return own


def within_group_error(
    gallery: NDArray[np.float32],
    gallery_labels: Sequence[str],
    queries: NDArray[np.float32],
    query_labels: Sequence[str],
    group_of: Callable[[str], str],
) -> GroupErrors:
    """Compare each query with the gallery items of its own group, by cosine; return the share of wrong answers.

    The one-shot runs of Omniglot are scored so (Lake et al., Science 2015): a query is compared with the references of
    its run alone.

    Args:
        gallery: [g, d] unit length.
        gallery_labels: g labels.
        queries: [q, d] unit length.
        query_labels: q labels.
        group_of: gives the group of a label.

    Raises:
        DataError: there is no query, or the label of a query has no gallery item, so that no right answer exists.
        ValueError: the vectors are not finite, or not as many as the labels.
    """
    if len(gallery) != len(gallery_labels) or len(queries) != len(query_labels):
        raise ValueError("there must be one label for each vector")
    if not (np.isfinite(gallery).all() and np.isfinite(queries).all()):
        raise ValueError("the vectors must be finite")
    if not query_labels:
        raise DataError("There is no query to compare within its group: check which split holds them.")
    lacking = sorted(set(query_labels) - set(gallery_labels))
    if lacking:
        raise DataError(
            f"{len(lacking)} labels of queries have no gallery item, the first is {lacking[0]!r}: enrol one of each."
        )
    labels, truth = np.array(gallery_labels), np.array(query_labels)
    gallery_groups = np.array([group_of(label) for label in gallery_labels])
    query_groups = np.array([group_of(label) for label in query_labels])
    wrong = np.empty(len(queries), dtype=bool)
    for group in np.unique(query_groups):
        members, references = query_groups == group, gallery_groups == group
        nearest = (queries[members] @ gallery[references].T).argmax(axis=1)
        wrong[members] = labels[references][nearest] != truth[members]
    by_group = {str(group): float(wrong[query_groups == group].mean()) for group in np.unique(query_groups)}
    return GroupErrors(error=float(wrong.mean()), by_group=by_group, right=tuple((~wrong).tolist()))
