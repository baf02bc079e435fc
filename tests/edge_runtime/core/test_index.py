from __future__ import annotations

import resource
import signal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_runtime.core import index as index_module
from edge_runtime.core.index import (
    ADDED_FILE,
    GRAPH_FILE,
    NO_CLASS,
    VECTORS_FILE,
    GalleryIndex,
    GalleryLayout,
    IndexParameters,
    SearchLimits,
    check_graph,
    has_many_twins,
    load_graph,
)
from edge_runtime.errors import ReleaseError

DIM = 16


def unit(rows: int, dim: int = DIM, seed: int = 0) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=(rows, dim))
    normal: NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return normal


def slow_answer(
    vectors: NDArray[np.float32],
    classes: NDArray[np.int64],
    queries: NDArray[np.float32],
    k: int,
    offsets: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The definition, in loops."""
    ids = np.full((len(queries), k), NO_CLASS)
    scores = np.full((len(queries), k), -np.inf, np.float32)
    for row, query in enumerate(queries):
        best = {
            int(c): max(float(vectors[i] @ query) for i in np.flatnonzero(classes == c)) - offsets[c]
            for c in set(classes)
        }
        for rank, (number, score) in enumerate(sorted(best.items(), key=lambda item: -item[1])[:k]):
            ids[row, rank], scores[row, rank] = number, score
    return ids, scores


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers(1, 8), st.integers(1, 10), st.integers(0, 99))
def test_exact_search_keeps_the_definition(rows: int, class_count: int, k: int, seed: int) -> None:
    vectors, queries = unit(rows, seed=seed), unit(5, seed=seed + 1)
    classes = np.random.default_rng(seed).integers(0, class_count, rows)
    offsets = (np.random.default_rng(seed).normal(size=class_count) * (seed % 3) / 2).astype(np.float32)
    ids, scores = GalleryIndex.build(vectors, classes, offsets=offsets).best_classes(queries, k)
    expected_ids, expected = slow_answer(vectors, classes, queries, k, offsets)
    assert ids.shape == scores.shape == (5, k)
    assert np.array_equal(ids, expected_ids)
    np.testing.assert_allclose(scores, expected, atol=1e-6)


@pytest.fixture
def by_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """Search the graph from 1,000 rows on, as galleries beyond the limit are searched."""
    monkeypatch.setattr(index_module, "LIMITS", SearchLimits(exact_rows=1_000))


@pytest.fixture(scope="module")
def large() -> tuple[NDArray[np.float32], NDArray[np.int64], GalleryIndex]:
    """More rows than `by_graph` searches exactly; one class holds half of them, and all of the nearest ones."""
    vectors = unit(3000, seed=3)
    vectors[:1500] = unit(1, seed=4) + 0.05 * unit(1500, seed=5)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    classes = np.concatenate([np.zeros(1500, np.int64), 1 + np.arange(1500) // 5])
    return vectors, classes, GalleryIndex.build(vectors, classes)


@pytest.mark.usefixtures("by_graph")
def test_the_graph_finds_what_exact_search_finds(
    large: tuple[NDArray[np.float32], NDArray[np.int64], GalleryIndex],
) -> None:
    vectors, classes, index = large
    queries = vectors[1500::100] + 0.1 * unit(15, seed=6)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    ids, scores = index.best_classes(queries, 3)
    exact_ids, exact = index.best_classes(queries, 3, among=np.unique(classes))
    assert np.array_equal(ids[:, 0], exact_ids[:, 0])
    np.testing.assert_allclose(scores[:, 0], exact[:, 0], atol=1e-6)


@pytest.mark.usefixtures("by_graph")
def test_a_crowded_class_does_not_hide_the_others(
    large: tuple[NDArray[np.float32], NDArray[np.int64], GalleryIndex],
) -> None:
    vectors, classes, index = large
    ids, scores = index.best_classes(vectors[:4], 5)
    exact_ids, exact = index.best_classes(vectors[:4], 5, among=np.unique(classes))
    assert np.array_equal(ids, exact_ids)
    np.testing.assert_allclose(scores, exact, atol=1e-6)
    assert all(len(set(row)) == 5 for row in ids.tolist())


@pytest.mark.usefixtures("by_graph")
def test_more_classes_than_there_are_is_padded(
    large: tuple[NDArray[np.float32], NDArray[np.int64], GalleryIndex],
) -> None:
    index = large[2]
    ids, scores = index.best_classes(unit(2, seed=8), 400)
    assert (ids[:, :301] != NO_CLASS).all()
    assert (ids[:, 301:] == NO_CLASS).all()
    assert np.isneginf(scores[:, 301:]).all()
    assert (np.diff(scores[:, :301], axis=1) <= 0).all()


@pytest.mark.usefixtures("by_graph")
def test_a_class_of_a_low_offset_is_found_beyond_the_nearest_rows() -> None:
    """The graph gives the nearest rows first; what an offset lifts may come after many of them."""
    vectors = unit(4000, seed=3)
    classes = np.arange(4000)
    offsets = np.where(np.random.default_rng(0).random(4000) < 0.01, -0.4, 0.0).astype(np.float32)
    index = GalleryIndex.build(vectors, classes, offsets=offsets)
    queries = unit(20, seed=4)
    ids, scores = index.best_classes(queries, 3)
    exact_ids, exact = index.best_classes(queries, 3, among=classes)
    assert np.array_equal(ids, exact_ids)
    np.testing.assert_allclose(scores, exact, atol=1e-6)
    assert (offsets[ids[:, 0]] < 0).any()


@pytest.mark.parametrize("offsets", [[0.1], [0.1, np.nan], [[0.1, 0.2]]], ids=["too few", "nan", "a table"])
def test_offsets_that_do_not_fit_are_refused(offsets: list[float]) -> None:
    with pytest.raises(ReleaseError, match="2 finite class offsets are needed"):
        GalleryIndex.build(unit(4), [0, 0, 1, 1], offsets=np.array(offsets, dtype=np.float32))


def test_candidates_are_searched_alone() -> None:
    index = GalleryIndex.build(unit(20), np.arange(20) // 2)
    ids, _ = index.best_classes(unit(3, seed=9), 4, among=np.array([2, 7]))
    assert {2, 7, NO_CLASS} == set(ids.ravel().tolist())
    with pytest.raises(ReleaseError, match="none of the candidate classes"):
        index.best_classes(unit(1), 1, among=np.array([99]))


def test_rows_are_grouped_by_class_whatever_the_order() -> None:
    vectors = unit(6)
    index = GalleryIndex.build(vectors, [2, 0, 1, 2, 0, 1])
    assert index.classes.tolist() == [0, 0, 1, 1, 2, 2]
    assert np.array_equal(index.vectors[4:], vectors[[0, 3]])


@pytest.mark.usefixtures("by_graph")
def test_building_is_deterministic_and_loading_gives_the_same(tmp_path: Path) -> None:
    vectors, classes = unit(1200, seed=2), np.arange(1200) // 3
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        GalleryIndex.build(vectors, classes).save(tmp_path / name)
    for name in (VECTORS_FILE, GRAPH_FILE):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    loaded = GalleryIndex.load(tmp_path / "a", GalleryLayout(classes), DIM)
    queries = unit(50, seed=11)
    before, after = GalleryIndex.build(vectors, classes).best_classes(queries, 5), loaded.best_classes(queries, 5)
    assert np.array_equal(before[0], after[0])
    assert np.array_equal(before[1], after[1])


def test_a_loaded_graph_searches_as_wide_as_stated(tmp_path: Path) -> None:
    """hnswlib comes back with 10 from every load, which loses neighbours silently."""
    GalleryIndex.build(unit(50), np.arange(50)).save(tmp_path)
    assert load_graph(tmp_path / GRAPH_FILE, DIM, 50, IndexParameters(ef_search=77)).ef == 77


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_vectors_that_are_not_finite_are_refused(value: float) -> None:
    vectors = unit(4)
    vectors[2, 1] = value
    with pytest.raises(ReleaseError, match=r"gallery row 2 \(class 1\) is not finite"):
        GalleryIndex.build(vectors, [0, 0, 1, 1])
    with pytest.raises(ReleaseError, match="query embedding is not finite"):
        GalleryIndex.build(unit(4), [0, 0, 1, 1]).best_classes(vectors[2:3], 1)


def test_other_bad_galleries_are_refused() -> None:
    with pytest.raises(ReleaseError, match=r"gallery row 1 .* not of unit length"):
        GalleryIndex.build(unit(3) * np.array([[1], [1.1], [1]]), [0, 1, 2])
    with pytest.raises(ReleaseError, match="3 embeddings but 2 class ids"):
        GalleryIndex.build(unit(3), [0, 1])
    with pytest.raises(ReleaseError, match="at least one embedding"):
        GalleryIndex.build(unit(0), [])
    with pytest.raises(ReleaseError, match="not grouped by class"):
        GalleryIndex(unit(3), np.array([0, 2, 1]), None)


def test_a_query_of_another_dimension_is_refused() -> None:
    with pytest.raises(ReleaseError, match=r"\(1, 8\) does not fit embeddings of 16"):
        GalleryIndex.build(unit(3), [0, 1, 2]).best_classes(unit(1, dim=8), 1)


def test_files_of_another_dimension_are_refused(tmp_path: Path) -> None:
    GalleryIndex.build(unit(30), np.arange(30)).save(tmp_path)
    with pytest.raises(ReleaseError, match="embeddings of 16 numbers where the release states 8"):
        GalleryIndex.load(tmp_path, GalleryLayout(np.arange(30)), 8)
    with pytest.raises(ReleaseError, match="30 embeddings but 29 class ids"):
        GalleryIndex.load(tmp_path, GalleryLayout(np.arange(29)), DIM)


def test_vectors_are_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / VECTORS_FILE, np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(ReleaseError, match=r"embeddings\.npy cannot be read"):
        GalleryIndex.load(tmp_path, GalleryLayout(np.zeros(1, np.int64)), DIM)


@pytest.mark.parametrize("case", ["rows", "vectors", "short"])
def test_a_graph_of_other_vectors_is_found_out(tmp_path: Path, case: str) -> None:
    GalleryIndex.build(unit(30), np.arange(30)).save(tmp_path)
    (tmp_path / "other").mkdir()
    vectors = {"rows": unit(30)[::-1].copy(), "vectors": unit(30, seed=1), "short": unit(29)}[case]
    GalleryIndex.build(vectors, np.arange(len(vectors))).save(tmp_path / "other")
    (tmp_path / "other" / GRAPH_FILE).replace(tmp_path / GRAPH_FILE)
    with pytest.raises(ReleaseError, match=r"index\.hnsw holds"):
        check_graph(tmp_path, GalleryLayout(np.arange(30)), DIM, IndexParameters(), unit(5, seed=3))


def test_a_graph_that_was_not_written_whole_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """hnswlib says nothing when the disk is full; a limit on the size of files stands in for the disk."""
    index = GalleryIndex.build(unit(3000), np.arange(3000))
    whole = tmp_path / "whole"
    whole.mkdir()
    index.save(whole)
    sizes = [(whole / name).stat().st_size for name in (VECTORS_FILE, GRAPH_FILE)]
    assert sizes[0] < sizes[1]
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (sizes[1] - 1, hard))
    try:
        with pytest.raises(ReleaseError, match=r"index\.hnsw was not written whole: free some space"):
            index.save(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        signal.signal(signal.SIGXFSZ, ignored)


def test_a_graph_that_misses_nearest_rows_is_refused(tmp_path: Path) -> None:
    """Two links a node and a list of one candidate lose most rows, although every row is in the graph."""
    vectors = unit(2000)
    narrow = IndexParameters(m=2, ef_construction=1, ef_search=1)
    GalleryIndex.build(vectors, np.arange(2000), narrow).save(tmp_path)
    with pytest.raises(ReleaseError, match=r"misses the nearest item of \d+ of 200 probes: build it with a larger"):
        check_graph(tmp_path, GalleryLayout(np.arange(2000)), DIM, narrow, unit(200, seed=3))


def test_a_graph_that_fits_passes(tmp_path: Path) -> None:
    GalleryIndex.build(unit(30), np.arange(30)).save(tmp_path)
    check_graph(tmp_path, GalleryLayout(np.arange(30)), DIM, IndexParameters(), unit(5, seed=3))


@pytest.mark.parametrize("exact_rows", [10_000, 100], ids=["exact", "graph"])
def test_items_are_found_wherever_their_rows_lie(
    tmp_path: Path, exact_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "LIMITS", SearchLimits(exact_rows=exact_rows))
    base, added, queries = unit(1_000), unit(30, seed=8), unit(50, seed=9)
    GalleryIndex.build(base, np.arange(1_000)).save(tmp_path)
    np.save(tmp_path / ADDED_FILE, added)
    random = np.random.default_rng(4)
    rows = random.permutation(1_030)[:700]  # the others are retired
    classes = np.sort(random.integers(0, 90, 700))
    classes = np.unique(classes, return_inverse=True)[1]
    offsets = random.normal(0, 0.1, classes[-1] + 1).astype(np.float32)
    layout = GalleryLayout(classes, rows, has_added=True)
    index = GalleryIndex.load(tmp_path, layout, DIM, offsets=offsets)
    ids, scores = index.best_classes(queries, 3)
    items = np.concatenate([base, added])[rows]
    expected_ids, expected = slow_answer(items, classes, queries, 3, offsets)
    assert np.array_equal(ids, expected_ids)
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    check_graph(tmp_path, layout, DIM, IndexParameters(), queries)


@pytest.mark.parametrize(
    ("layout", "says"),
    [
        (GalleryLayout(np.arange(2), np.array([0, 33]), has_added=True), "row 33 of 33"),
        (GalleryLayout(np.arange(2), np.array([0, 30])), "row 30 of 30"),
        (GalleryLayout(np.arange(2), np.array([0, 31, 2]), has_added=True), "3 embeddings but 2 class ids"),
    ],
)
def test_a_layout_that_does_not_fit_the_files_is_refused(tmp_path: Path, layout: GalleryLayout, says: str) -> None:
    GalleryIndex.build(unit(30), np.arange(30)).save(tmp_path)
    np.save(tmp_path / ADDED_FILE, unit(3, seed=8))
    with pytest.raises(ReleaseError, match=says):
        GalleryIndex.load(tmp_path, layout, DIM)


@pytest.mark.parametrize("spread", [0.0, 1e-3], ids=["equal", "nearly equal"])
def test_many_equal_rows_are_searched_exactly(
    spread: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(index_module, "LIMITS", SearchLimits(exact_rows=1_000))
    noise = np.random.default_rng(3).normal(size=(2_000, DIM)) * spread
    frozen = np.repeat(unit(1, seed=9), 2_000, axis=0) + noise
    frozen /= np.linalg.norm(frozen, axis=1, keepdims=True)
    vectors = np.concatenate([frozen, unit(300)]).astype(np.float32)
    classes = np.concatenate([np.zeros(2_000, int), np.arange(300) % 60 + 1])
    queries = unit(200, seed=5)
    index = GalleryIndex.build(vectors, classes)
    ids, scores = index.best_classes(queries, 2)
    expected_ids, expected = GalleryIndex(index.vectors, index.classes, None).best_classes(queries, 2)
    assert np.array_equal(ids, expected_ids)
    assert np.array_equal(scores, expected)
    assert "2300 gallery rows are nearly equal: they are searched without a graph" in caplog.text


def test_a_gallery_of_different_rows_has_no_twins() -> None:
    assert not has_many_twins(unit(5_000))
    assert not has_many_twins(unit(1))
    assert has_many_twins(np.repeat(unit(1), 300, axis=0))
