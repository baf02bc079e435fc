from __future__ import annotations

import numpy as np
import pytest

from discern.errors import DataError
from discern.evaluation.episodes import EpisodeAccuracy, Episodes, play_episodes, within_group_error

E = np.eye(4, dtype=np.float32)


def noisy(classes: int, each: int, noise: float, dimensions: int = 16) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    ids = np.repeat(np.arange(classes), each)
    vectors = rng.normal(size=(classes, dimensions))[ids] + noise * rng.normal(size=(len(ids), dimensions))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), ids


def accuracy_of(vectors: np.ndarray, ids: np.ndarray, **numbers: int) -> EpisodeAccuracy:
    return play_episodes(vectors, ids, **numbers).accuracy()


def test_classes_that_lie_apart_are_always_told() -> None:
    accuracy = accuracy_of(E[[0, 0, 1, 1, 2, 2]], np.repeat([7, 3, 5], 2), ways=3, shots=1, queries=1, episodes=9)
    assert (accuracy.mean, accuracy.half_width, accuracy.episodes) == (1.0, 0.0, 9)


def test_equal_vectors_are_told_by_chance() -> None:
    accuracy = accuracy_of(E[[0] * 20], np.repeat(np.arange(5), 4), ways=5, shots=1, queries=3, episodes=20)
    assert accuracy.mean == pytest.approx(1 / 5)
    assert accuracy.half_width == pytest.approx(0)


def test_the_interval_of_episodes_is_of_their_sample_standard_deviation() -> None:
    # Accuracies 1 and 0 deviate by sqrt(1/2); 1.96 sqrt(1/2) / sqrt(2) = .98.
    hits = np.array([[[True], [True]], [[False], [False]]])
    accuracy = Episodes(hits, np.array([[0, 1], [0, 1]])).accuracy()
    assert (accuracy.mean, accuracy.episodes) == (0.5, 2)
    assert accuracy.half_width == pytest.approx(0.98)


def test_an_episode_worked_by_hand() -> None:
    # Each class has one shot and one query; of class 0 either item is nearer to class 1's than to its own other.
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8], [0.6, 0.8]], np.float32)
    accuracy = accuracy_of(vectors, np.array([0, 0, 1, 1]), ways=2, shots=1, queries=1, episodes=50)
    assert accuracy.mean == 0.5
    assert accuracy.half_width == 0.0


def test_a_prototype_is_the_mean_direction_of_its_shots() -> None:
    # Two shots of class 0 at +-53 degrees mean 0 degrees; whichever are drawn, class 1's lie at 90.
    wide = [[0.6, 0.8, 0], [0.6, -0.8, 0]]
    vectors = np.array([*wide, *wide, *wide, *[[0, 0, 1]] * 6], np.float32)
    accuracy = accuracy_of(vectors, np.repeat([0, 1], 6), ways=2, shots=5, queries=1, episodes=20)
    assert accuracy.mean == 1.0


def test_prototypes_are_of_unit_length() -> None:
    # Class 0: .6 of a common direction and .8 of one of its own each, so that four of them mean a vector of length .72.
    # A query of it scores .36 / .72 = .50 there and .6 * .7 = .42 with class 1: without the length it would lose.
    scattered = np.concatenate([np.full((5, 1), 0.6), 0.8 * np.eye(5), np.zeros((5, 1))], axis=1)
    vectors = np.array([*scattered, *[[0.7, 0, 0, 0, 0, 0, np.sqrt(0.51)]] * 5], np.float32)
    accuracy = accuracy_of(vectors, np.repeat([0, 1], 5), ways=2, shots=4, queries=1, episodes=20)
    assert accuracy.mean == 1.0


def _slow(vectors: np.ndarray, ids: np.ndarray, ways: int, shots: int, queries: int, episodes: int) -> float:
    """The same written plainly, on draws of its own."""
    rng = np.random.default_rng(99)
    right = []
    for _ in range(episodes):
        classes = rng.choice(np.unique(ids), ways, replace=False)
        drawn = [rng.permutation(np.flatnonzero(ids == name))[: shots + queries] for name in classes]
        prototypes = [vectors[rows[:shots]].sum(axis=0) for rows in drawn]
        for place, rows in enumerate(drawn):
            for row in rows[shots:]:
                cosines = [vectors[row] @ prototype / np.linalg.norm(prototype) for prototype in prototypes]
                right.append(np.argmax(cosines) == place)
    return float(np.mean(right))


@pytest.mark.parametrize(("ways", "shots", "queries"), [(5, 1, 4), (5, 5, 2), (12, 1, 1)])
def test_it_agrees_with_the_plain_way_of_writing_it(ways: int, shots: int, queries: int) -> None:
    vectors, ids = noisy(12, 9, 1.2)
    shuffled = np.random.default_rng(1).permutation(len(ids))
    found = accuracy_of(vectors[shuffled], ids[shuffled], ways=ways, shots=shots, queries=queries, episodes=400)
    assert 0.3 < found.mean < 0.97
    assert found.mean == pytest.approx(_slow(vectors, ids, ways, shots, queries, 300), abs=0.03)


def test_classes_of_unequal_size_lend_all_their_items_and_no_others() -> None:
    # Class 0 loses its query where its last item is drawn, as one of two of five; class 1 never does.
    vectors = np.array([[0, 1], [0, 1], [0, 1], [0, 1], [0.8, -0.6], [1, 0], [1, 0]], np.float32)
    ids = np.array([0, 0, 0, 0, 0, 1, 1])
    accuracy = accuracy_of(vectors, ids, ways=2, shots=1, queries=1, episodes=1000)
    assert accuracy.mean == pytest.approx(1 - 0.5 * 2 / 5, abs=0.03)
    assert accuracy.half_width == pytest.approx(1.96 * np.sqrt(0.4 * 0.6) * 0.5 / np.sqrt(1000), rel=0.05)


def test_the_interval_is_that_of_the_literature_and_shrinks_with_episodes() -> None:
    vectors, ids = noisy(12, 9, 1.2)
    few, many = (accuracy_of(vectors, ids, ways=5, shots=1, queries=4, episodes=episodes) for episodes in (100, 1600))
    assert few.half_width / many.half_width == pytest.approx(4, rel=0.25)
    means = [accuracy_of(vectors, ids, ways=5, shots=1, queries=4, episodes=100, seed=seed).mean for seed in range(60)]
    within = np.mean(np.abs(np.array(means) - many.mean) <= few.half_width)
    assert 0.85 < within <= 1.0


def test_the_seed_decides_the_episodes() -> None:
    vectors, ids = noisy(12, 9, 1.2)
    first, again, other = (
        accuracy_of(vectors, ids, ways=5, shots=1, queries=4, episodes=50, seed=seed) for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other


def test_two_models_are_asked_the_same_queries() -> None:
    # Both take class 1 for class 0, one of them in one item alone: they differ where that item is the query.
    ids = np.repeat([0, 1], 3)
    first, second = (np.array([[1, 0]] * 3 + [[0, 1], [0, 1], last], np.float32) for last in ([0, 1], [1, 0]))
    numbers = {"ways": 2, "shots": 1, "queries": 1, "episodes": 300}
    right, partly = (play_episodes(vectors, ids, **numbers) for vectors in (first, second))
    assert right.hits.shape == (300, 2, 1)
    assert right.hits.all()
    assert (~partly.hits).any(axis=(1, 2)).mean() == pytest.approx(2 / 3, abs=0.1)  # it is the shot, or the query
    assert (right.class_ids == partly.class_ids).all()
    wrong = partly.class_ids[(~partly.hits).any(axis=2)]
    # As the query it is wrong itself; as the shot, class 0's queries may lie as near to it as to their own.
    assert (wrong == 1).any()


def test_too_few_classes_is_an_error() -> None:
    with pytest.raises(DataError, match="5 ways needs as many classes, but there are 2: draw fewer ways"):
        accuracy_of(E, np.array([0, 0, 1, 1]), ways=5, shots=1, queries=1)


def test_no_item_is_an_error() -> None:
    with pytest.raises(DataError, match="there are 0"):
        accuracy_of(E[:0], np.array([], np.int64), ways=5, shots=1, queries=1)


def test_a_class_with_too_few_items_is_named() -> None:
    with pytest.raises(DataError, match=r"1 shots and 1 queries of a class, but class 9 has 1 items: draw fewer"):
        accuracy_of(E[:3], np.array([4, 4, 9]), ways=2, shots=1, queries=1)


@pytest.mark.parametrize("number", [{"ways": 1}, {"shots": 0}, {"queries": 0}, {"episodes": 1}])
def test_an_episode_of_nothing_is_an_error(number: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="2 ways, 1 shot and 1 query"):
        accuracy_of(E, np.array([0, 0, 1, 1]), **{"ways": 2, "shots": 1, "queries": 1, **number})


@pytest.mark.parametrize("vectors", [E[:3], np.full((4, 4), np.nan, np.float32)])
def test_vectors_that_are_no_embeddings_of_the_ids_are_an_error(vectors: np.ndarray) -> None:
    with pytest.raises(ValueError, match="4 finite vectors"):
        accuracy_of(vectors, np.array([0, 0, 1, 1]), ways=2, shots=1, queries=1)


def run_of(label: str) -> str:
    return label.rpartition("/")[0]


def test_a_query_is_compared_with_its_own_group_alone() -> None:
    gallery, labels = E[[0, 1, 2, 3]], ["run01/a", "run01/b", "run02/a", "run02/b"]
    # The second query equals an item of run02; in its own run it lies between a and b, nearer a.
    queries = np.array([[1, 0, 0, 0], [0.6, 0, 0.8, 0], [0, 0, 0, 1], [0, 0, 0.6, 0.8]], np.float32)
    found = within_group_error(gallery, labels, queries, ["run01/a", "run01/a", "run02/a", "run02/b"], run_of)
    assert found.by_group == {"run01": 0.0, "run02": 0.5}
    assert found.right.count(False) == 1
    assert found.error == 0.25


def test_groups_weigh_by_their_queries() -> None:
    found = within_group_error(E[:2], ["x/a", "y/a"], E[[0, 0, 0, 1]], ["x/a", "x/a", "x/a", "y/a"], run_of)
    assert found.error == 0.0
    found = within_group_error(E[:3], ["x/a", "x/b", "y/a"], E[[1, 1, 0, 2]], ["x/a", "x/a", "x/a", "y/a"], run_of)
    assert found.by_group == {"x": pytest.approx(2 / 3), "y": 0.0}
    assert found.error == 0.5


def test_one_group_for_all_is_the_plain_nearest_neighbour() -> None:
    vectors, ids = noisy(8, 5, 1.0)
    labels = [f"class {number}" for number in ids]
    first = np.arange(len(ids)) % 5 == 0
    asked = [label for label, chosen in zip(labels, first, strict=True) if not chosen]
    found = within_group_error(vectors[first], labels[::5], vectors[~first], asked, lambda _: "all")
    nearest = (vectors[~first] @ vectors[first].T).argmax(axis=1)
    assert 0 < found.error < 1
    assert found.error == pytest.approx(float((nearest != ids[~first]).mean()))


def test_a_query_that_nothing_could_answer_is_an_error() -> None:
    with pytest.raises(DataError, match="1 labels of queries have no gallery item, the first is 'run02/a': enrol"):
        within_group_error(E[:2], ["run01/a", "run01/b"], E[:2], ["run01/a", "run02/a"], run_of)


def test_no_query_is_an_error() -> None:
    with pytest.raises(DataError, match="no query"):
        within_group_error(E[:1], ["run01/a"], E[:0], [], run_of)


def test_labels_and_vectors_must_belong_together() -> None:
    with pytest.raises(ValueError, match="one label for each vector"):
        within_group_error(E[:2], ["run01/a"], E[:1], ["run01/a"], run_of)
    with pytest.raises(ValueError, match="finite"):
        within_group_error(E[:1], ["run01/a"], np.full((1, 4), np.nan, np.float32), ["run01/a"], run_of)
