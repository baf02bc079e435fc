"""The gallery index: which enrolled classes are nearest to a query embedding.

Rules kept:
- `embeddings.npy` is the truth and `index.hnsw` a cache of it, which can be rebuilt from it;
- items are grouped by class, so one class is one slice, wherever their rows lie in the files;
- what is enrolled after the graph was built lies in `added.npy` and is searched exactly, and what is retired stays in
  the files without an item, so that a device fetches neither the vectors nor the graph again;
- a class scores by its best gallery item: by the cosine, which is the inner product of unit vectors, less the offset of
  the class;
- the margin of the decision rule needs the second class, which a graph may miss: search is exact as long as it takes a
  fraction of the embedding's time (measured: 0.27 ms at 10,000 vectors of 128 numbers), and the graph searches widely;
- a graph over very many nearly equal rows misses others (measured: 11,000 equal of 12,500, 28 of 500 best classes), so
  such a gallery is searched exactly, whatever its size;
- hnswlib aborts on some corrupt files and loads others silently: `load` is for files whose hash was checked, and
  `check_graph` is for a child process.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hnswlib
import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ReleaseError
from edge_runtime.files import fsync_file

Vectors = NDArray[np.float32]
Classes = NDArray[np.int64]

logger = logging.getLogger(__name__)

VECTORS_FILE = "embeddings.npy"
ADDED_FILE = "added.npy"
GRAPH_FILE = "index.hnsw"
NO_CLASS = -1


@dataclass(frozen=True)
class IndexParameters:
    """Settings that the graph is built and searched with; they travel with the release."""

    m: int = 16  # links a node
    ef_construction: int = 200  # candidates while building
    ef_search: int = 200  # candidates while searching


@dataclass(frozen=True)
class SearchLimits:
    """Bounds of one search."""

    exact_rows: int = 10_000  # up to here the vectors are searched themselves
    rows_a_class: int = 8  # first guess of how many neighbours one class takes
    scores_at_once: int = 16_000_000  # float32 numbers of one exact block: 64 MB
    unit_norm: float = 1e-3  # how far a vector's length may be from 1
    twin_cosine: float = 0.999  # above it two rows count as nearly equal
    twins: int = 200  # rows nearly equal to another; a search that sees as many candidates may see nothing else
    missed_probes: float = 0.02  # share of probes whose nearest row a sound graph may miss: it is approximate


LIMITS = SearchLimits()


@dataclass(frozen=True)
class GalleryLayout:
    """Where the items of a gallery lie in its files.

    Attributes:
        classes: [n] int64 the class of each item, not descending, from 0.
        rows: [n] int64 the item's row in `embeddings.npy` and, counted on, in `added.npy`; None: its own place.
        has_added: whether there is an `added.npy`.
    """

    classes: Classes
    rows: Classes | None = None
    has_added: bool = False


class GalleryIndex:
    """Enrolled embeddings with their classes, and a graph over them.

    Args:
        vectors: [n, d] float32 of unit length, the items, grouped by class.
        classes: [n] int64, not descending, from 0.
        graph: a hnswlib index, or None for exact search.
        parameters: how the graph was built.
        offsets: [c] what is taken off the cosines of each class, by class; nothing if None.
        graph_items: [g] the item that each row of the graph is, -1 where it is none any more; None: the same rows.
    """

    def __init__(
        self,
        vectors: Vectors,
        classes: Classes,
        graph: Any | None,
        parameters: IndexParameters | None = None,
        offsets: Vectors | None = None,
        graph_items: Classes | None = None,
    ) -> None:
        _check_rows(vectors, classes)
        self.offsets = np.zeros(classes[-1] + 1, np.float32) if offsets is None else offsets.astype(np.float32)
        _check_offsets(self.offsets, classes)
        self._least_offset = self.offsets.min()
        self.vectors = vectors
        self.classes = classes
        self.parameters = parameters or IndexParameters()
        self._graph = graph
        self._graph_items = np.arange(len(vectors)) if graph_items is None else graph_items
        self._beside_graph = np.setdiff1d(np.arange(len(vectors)), self._graph_items)
        self._ids, self._starts = np.unique(classes, return_index=True)

    @classmethod
    def build(
        cls,
        vectors: NDArray[Any],
        classes: Sequence[int] | NDArray[Any],
        parameters: IndexParameters | None = None,
        offsets: Vectors | None = None,
    ) -> GalleryIndex:
        """Build from `vectors` [n, d] of unit length and `classes` [n] in any order; deterministic.

        `offsets` [c] are taken off the cosines of the classes.

        Raises:
            ReleaseError: no rows, a vector that is not finite or not of unit length, or counts that differ.
        """
        parameters = parameters or IndexParameters()
        rows = np.ascontiguousarray(vectors, dtype=np.float32)
        ids = np.asarray(classes, dtype=np.int64)
        _check_shapes(rows, ids)
        order = np.argsort(ids, kind="stable")
        rows, ids = rows[order], ids[order]
        _check_rows(rows, ids)
        if len(rows) > LIMITS.exact_rows and has_many_twins(rows):
            logger.warning(
                "Very many of %d gallery rows are nearly equal: they are searched without a graph.", len(rows)
            )
            return cls(rows, ids, None, parameters, offsets)
        return cls(rows, ids, _build_graph(rows, parameters), parameters, offsets)

    @classmethod
    def load(
        cls,
        folder: Path,
        layout: GalleryLayout,
        dim: int,
        parameters: IndexParameters | None = None,
        offsets: Vectors | None = None,
    ) -> GalleryIndex:
        """Load files whose hashes were checked.

        Args:
            folder: holds `embeddings.npy`, `index.hnsw` and, where the layout says so, `added.npy`.
            layout: where the items lie in the files.
            dim: numbers in one embedding.
            parameters: how the graph is searched.
            offsets: [c] what is taken off the cosines of each class.

        Raises:
            ReleaseError: the files do not fit each other or `dim`.
        """
        parameters = parameters or IndexParameters()
        rows = load_vectors(folder / VECTORS_FILE, dim)
        vectors = _items(folder, layout, rows)
        if len(vectors) <= LIMITS.exact_rows or has_many_twins(rows):
            return cls(vectors, layout.classes, None, parameters, offsets)
        graph_items = _graph_items(layout, len(rows))
        graph = load_graph(folder / GRAPH_FILE, dim, len(rows), parameters)
        for row in np.flatnonzero(graph_items == NO_CLASS).tolist():
            graph.mark_deleted(row)
        return cls(vectors, layout.classes, graph, parameters, offsets, graph_items)

    def save(self, folder: Path) -> None:
        """Write `embeddings.npy` and `index.hnsw` into `folder`.

        Raises:
            ReleaseError: the graph was not written whole (hnswlib says nothing when the disk is full).
            OSError: the folder is not writable or full.
        """
        with (folder / VECTORS_FILE).open("wb") as file:
            np.save(file, self.vectors, allow_pickle=False)
        fsync_file(folder / VECTORS_FILE)
        graph = self._graph if self._graph is not None else _build_graph(self.vectors, self.parameters)
        path = folder / GRAPH_FILE
        graph.save_index(str(path))
        if not path.is_file() or path.stat().st_size != graph.index_file_size():
            raise ReleaseError(f"{path} was not written whole: free some space on the disk and build again.")
        fsync_file(path)

    def best_classes(self, queries: Vectors, k: int, among: Classes | None = None) -> tuple[Classes, Vectors]:
        """Find the k best classes of each query.

        Args:
            queries: [q, d] of unit length.
            k: classes wanted; where fewer exist the rest is padded.
            among: search these class ids only, exactly; all classes if None.

        Returns:
            Class ids [q, k] int64, best first, padded with -1, and their scores [q, k] float32, padded with -inf: the
            cosine of the class's best item less the class's offset.

        Raises:
            ReleaseError: the queries have another dimension or are not finite.
        """
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.vectors.shape[1]:
            raise ReleaseError(f"a query of shape {queries.shape} does not fit embeddings of {self.vectors.shape[1]}.")
        if not np.isfinite(queries).all():
            raise ReleaseError("a query embedding is not finite: the model of this release is damaged, pull it again.")
        if among is not None:
            return self._exact(queries, k, among)
        if self._graph is None or len(self.vectors) <= LIMITS.exact_rows:
            return self._exact(queries, k, None)
        return self._by_graph(queries, k)

    def _by_graph(self, queries: Vectors, k: int) -> tuple[Classes, Vectors]:
        wanted = min(k, len(self._ids))
        ids, scores = _padded(len(queries), k)
        open_rows = np.arange(len(queries))
        neighbours = wanted * LIMITS.rows_a_class
        # A class with many items fills the neighbour list, and one with a low offset may lie beyond its end: queries
        # whose best classes are not settled are searched again with more.
        while len(open_rows) and neighbours * 2 < len(self.vectors):
            nearest = _neighbours(self._graph, queries[open_rows], neighbours)
            if nearest is None:
                break
            settled = [
                self._rank(queries[row], self._graph_items[graph_rows], cosines, ids[row], scores[row])
                for row, graph_rows, cosines in zip(open_rows, *nearest, strict=True)
            ]
            open_rows = open_rows[~np.array(settled)]
            neighbours *= 4
        if len(open_rows):
            ids[open_rows], scores[open_rows] = self._exact(queries[open_rows], k, None)
        return ids, scores

    def _rank(self, query: Vectors, nearest: Classes, cosines: Vectors, ids: Classes, scores: Vectors) -> bool:
        """Write the best classes among the nearest items of one query and those beside the graph, best first.

        Args:
            query: [d] the query.
            nearest: [n] the nearest items of the graph, nearest first.
            cosines: [n] theirs.
            ids: [k] receives classes.
            scores: [k] receives their scores.

        Returns:
            Whether no class of an item beyond the nearest ones can be among them.
        """
        found = np.concatenate([cosines, self.vectors[self._beside_graph] @ query])
        by_cosine = np.argsort(-found, kind="stable")
        items = np.concatenate([nearest, self._beside_graph])[by_cosine]
        classes, first = np.unique(self.classes[items], return_index=True)
        class_scores = found[by_cosine][first] - self.offsets[classes]
        order = np.argsort(-class_scores, kind="stable")[: len(ids)]
        ids[: len(order)] = classes[order]
        scores[: len(order)] = class_scores[order]
        wanted = min(len(ids), len(self._ids))
        return len(order) == wanted and bool(scores[wanted - 1] >= cosines[-1] - self._least_offset)

    def _exact(self, queries: Vectors, k: int, among: Classes | None) -> tuple[Classes, Vectors]:
        vectors, ids, starts = self._slices(among)
        offsets = self.offsets[ids]
        best_ids, best = _padded(len(queries), k)
        block = max(1, LIMITS.scores_at_once // len(vectors))
        for start in range(0, len(queries), block):
            rows = slice(start, start + block)
            cosines = queries[rows] @ vectors.T
            scores = np.maximum.reduceat(cosines, starts, axis=1) - offsets
            order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
            best_ids[rows, : order.shape[1]] = ids[order]
            best[rows, : order.shape[1]] = np.take_along_axis(scores, order, axis=1)
        return best_ids, best

    def _slices(self, among: Classes | None) -> tuple[Vectors, Classes, NDArray[Any]]:
        if among is None:
            return self.vectors, self._ids, self._starts
        rows = np.isin(self.classes, among)
        ids, starts = np.unique(self.classes[rows], return_index=True)
        if not len(ids):
            raise ReleaseError("none of the candidate classes has a gallery item in this release.")
        return self.vectors[rows], ids, starts


def load_vectors(path: Path, dim: int) -> Vectors:
    """Load `embeddings.npy` as [n, dim] float32; no pickle.

    Raises:
        ReleaseError: it cannot be read or holds something else.
    """
    try:
        vectors = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ReleaseError(f"{path} cannot be read ({error}): pull the release again.") from None
    if not isinstance(vectors, np.ndarray) or vectors.dtype != np.float32 or vectors.ndim != 2:
        raise ReleaseError(f"{path} does not hold a table of float32 embeddings: pull the release again.")
    if vectors.shape[1] != dim:
        raise ReleaseError(f"{path} holds embeddings of {vectors.shape[1]} numbers where the release states {dim}.")
    return vectors


def load_graph(path: Path, dim: int, rows: int, parameters: IndexParameters) -> Any:
    """Load `index.hnsw` for searching.

    Raises:
        ReleaseError: hnswlib refuses it, or it has another number of rows.
    """
    graph = hnswlib.Index(space="ip", dim=dim)
    try:
        graph.load_index(str(path), max_elements=rows)
    except (RuntimeError, MemoryError) as error:
        raise ReleaseError(f"{path} cannot be loaded ({error}): pull the release again.") from None
    if graph.get_current_count() != rows:
        raise ReleaseError(f"{path} holds {graph.get_current_count()} rows where the gallery has {rows}.")
    graph.set_ef(parameters.ef_search)  # hnswlib forgets it: 10 after every load
    graph.set_num_threads(1)
    return graph


def check_graph(folder: Path, layout: GalleryLayout, dim: int, parameters: IndexParameters, probes: Vectors) -> None:
    """Compare the graph with the vectors that it indexes; for a child process, as a corrupt file may crash it.

    Args:
        folder: holds the gallery's files.
        layout: where the items lie in them.
        dim: numbers in one embedding.
        parameters: how the graph is searched.
        probes: [p, d] queries of unit length; nearly all must get the nearest row that exact search finds.

    Raises:
        ReleaseError: a row is missing or differs, or the graph misses nearest rows.
    """
    path = folder / GRAPH_FILE
    vectors = load_vectors(folder / VECTORS_FILE, dim)
    _check_rows(_items(folder, layout, vectors), layout.classes)
    graph = load_graph(path, dim, len(vectors), parameters)
    if sorted(graph.get_ids_list()) != list(range(len(vectors))):
        raise ReleaseError(f"{path} does not index the rows of {VECTORS_FILE}: build the release again.")
    stored = np.asarray(graph.get_items(np.arange(len(vectors))), dtype=np.float32)
    if stored.shape != vectors.shape or not np.array_equal(stored, vectors):
        raise ReleaseError(f"{path} holds other vectors than {VECTORS_FILE}: build the release again.")
    if has_many_twins(vectors):  # the graph answers nothing
        return
    _, distances = graph.knn_query(probes, k=1, num_threads=1)
    exact = (probes @ vectors.T).max(axis=1)
    missed = int((np.abs(1.0 - distances[:, 0] - exact) > 1e-4).sum())
    if missed > len(probes) * LIMITS.missed_probes:
        raise ReleaseError(
            f"{path} misses the nearest item of {missed} of {len(probes)} probes: build it with a larger ef_search."
        )


def has_many_twins(vectors: Vectors) -> bool:
    """Return True if more rows of `vectors` [n, d] are nearly equal to another than a graph can tell apart.

    Rows that are nearly equal lie beside each other in the order of a projection, where they are many.
    """
    direction = np.random.default_rng(1).standard_normal(vectors.shape[1])
    ordered = vectors[np.argsort(vectors @ direction.astype(np.float32), kind="stable")]
    cosines = np.einsum("ij,ij->i", ordered[:-1], ordered[1:])
    return int((cosines > LIMITS.twin_cosine).sum()) > LIMITS.twins


def _items(folder: Path, layout: GalleryLayout, rows: Vectors) -> Vectors:
    """Return the items [n, d] of a gallery, given the rows of `embeddings.npy`."""
    if layout.has_added:
        rows = np.concatenate([rows, load_vectors(folder / ADDED_FILE, rows.shape[1])])
    if layout.rows is None:
        _check_shapes(rows, layout.classes)
        return rows
    if len(layout.rows) and not 0 <= layout.rows.min() <= layout.rows.max() < len(rows):
        raise ReleaseError(
            f"the catalogue names gallery row {layout.rows.max()} of {len(rows)}: pull the release again."
        )
    items = rows[layout.rows]
    _check_shapes(items, layout.classes)
    return items


def _graph_items(layout: GalleryLayout, rows: int) -> Classes:
    """Return the item that each of the graph's rows is, -1 where it is none."""
    items = np.full(rows, NO_CLASS, dtype=np.int64)
    of_items = np.arange(len(layout.classes)) if layout.rows is None else layout.rows
    in_graph = np.flatnonzero(of_items < rows)
    items[of_items[in_graph]] = in_graph
    return items


def _build_graph(vectors: Vectors, parameters: IndexParameters) -> Any:
    graph = hnswlib.Index(space="ip", dim=vectors.shape[1])
    graph.init_index(
        max_elements=len(vectors), M=parameters.m, ef_construction=parameters.ef_construction, random_seed=1
    )
    # One thread and a fixed order make the file the same every time.
    # Shuffled, as rows that arrive sorted by class make a worse graph.
    order = np.random.default_rng(1).permutation(len(vectors))
    graph.add_items(vectors[order], order, num_threads=1)
    graph.set_ef(parameters.ef_search)
    graph.set_num_threads(1)
    return graph


def _neighbours(graph: Any, queries: Vectors, count: int) -> tuple[Classes, Vectors] | None:
    try:
        rows, distances = graph.knn_query(queries, k=count, num_threads=1)
    except RuntimeError:  # the graph reached fewer than `count` rows
        return None
    return rows.astype(np.int64), (1.0 - distances).astype(np.float32)


def _check_shapes(vectors: Vectors, classes: Classes) -> None:
    if vectors.ndim != 2 or not len(vectors):
        raise ReleaseError(f"the gallery has the shape {vectors.shape}: at least one embedding is needed.")
    if classes.shape != (len(vectors),):
        raise ReleaseError(f"the gallery has {len(vectors)} embeddings but {classes.size} class ids.")


def _check_rows(vectors: Vectors, classes: Classes) -> None:
    if not np.isfinite(vectors).all():
        row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise ReleaseError(f"gallery row {row} (class {classes[row]}) is not finite: embed that photo again.")
    off = np.abs(np.linalg.norm(vectors, axis=1) - 1.0)
    if off.max() > LIMITS.unit_norm:
        row = int(off.argmax())
        raise ReleaseError(f"gallery row {row} (class {classes[row]}) is not of unit length: normalise the embeddings.")
    if classes[0] < 0 or (np.diff(classes) < 0).any():
        raise ReleaseError("the gallery's rows are not grouped by class: build the release again.")


def _check_offsets(offsets: Vectors, classes: Classes) -> None:
    if offsets.ndim != 1 or len(offsets) <= classes[-1] or not np.isfinite(offsets).all():
        raise ReleaseError(f"{classes[-1] + 1} finite class offsets are needed, one a class: build the release again.")


def _padded(queries: int, k: int) -> tuple[Classes, Vectors]:
    return np.full((queries, k), NO_CLASS, dtype=np.int64), np.full((queries, k), -np.inf, dtype=np.float32)
