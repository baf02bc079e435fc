"""A map of the embeddings: photos that the model takes for alike lie together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from discern.evaluation.plots.answer_quality import COLOURS, AnswerQuality
from discern.evaluation.plots.answer_sheet import GAP, INK, MUTED, PAPER
from discern.evaluation.plots.sheet import FRAME, Colour, Sheet
from edge_runtime.core.images import Pixels, Preprocessing

Kind = Literal["gallery", "query", "unknown"]
MAX_POINTS = 1500  # t-SNE of so many takes ten seconds on one core
LEAST_FOR_TSNE = 20  # points; fewer have no neighbourhoods to keep
LEAST_SPREAD = 1e-6  # standard deviation along the first axis; below it the embeddings have collapsed
PERPLEXITY = 30.0

SIDE = 1000  # pixels, of the map
EDGE = 40  # pixels, left free around the points
FINER = 2  # drawn at so many times its size, for smooth edges
LEGEND = 250  # pixels, width
ENTRY = 44  # pixels, height of a class in the legend
SIGN = 22  # pixels, height of a sign in the legend
PHOTO_SIDE = 48  # pixels, of a photo on the map
MAX_PHOTOS = 100  # on the map
REACH = 84  # pixels, how far a photo may lie from its point
RADIUS = 3.5  # pixels, of a point
QUERY, GREY = (66, 110, 180), (150, 154, 160)
PLAIN: dict[Kind, Colour] = {"gallery": INK, "query": QUERY, "unknown": GREY}
# matplotlib's tab20, the strong ones first; without its reds and greys, which mean something else here.
PALETTE: tuple[Colour, ...] = (
    (31, 119, 180), (255, 127, 14), (44, 160, 44), (148, 103, 189), (140, 86, 75), (227, 119, 194), (188, 189, 34),
    (23, 190, 207), (174, 199, 232), (255, 187, 120), (152, 223, 138), (197, 176, 213), (196, 156, 148),
    (247, 182, 210), (219, 219, 141), (158, 218, 229),
)  # fmt: skip
SIGNS: tuple[tuple[Kind, AnswerQuality, str], ...] = (
    ("gallery", "right", "enrolled"),
    ("query", "right", "query of an enrolled class"),
    ("unknown", "right", "query of an unknown"),
    ("query", "wrong name", "given a wrong name"),
    ("query", "refused", "enrolled, answered unknown"),
)


@dataclass(frozen=True)
class MapPoints:
    """The points of a map.

    Attributes:
        vectors: [n, d] embeddings of unit length.
        labels: n class names.
        kinds: n: a row of the gallery, a query of an enrolled class, or a query of an unknown.
        qualities: n: of the answer to a query; `right` for the gallery.
    """

    vectors: NDArray[np.float32]
    labels: tuple[str, ...]
    kinds: tuple[Kind, ...]
    qualities: tuple[AnswerQuality, ...]

    def take(self, rows: NDArray[np.int64]) -> MapPoints:
        """Return some of the points."""
        return MapPoints(
            self.vectors[rows],
            tuple(self.labels[row] for row in rows),
            tuple(self.kinds[row] for row in rows),
            tuple(self.qualities[row] for row in rows),
        )


def stratified_sample(groups: Sequence[Hashable], limit: int, seed: int) -> NDArray[np.int64]:
    """Draw at most `limit` indices of `groups`: every group gives one, then every group a second, and so on.

    Returns:
        The indices, ascending.
    """
    shuffled = np.random.default_rng(seed).permutation(len(groups))
    turns = np.empty(len(groups), np.int64)
    drawn_before: Counter[Hashable] = Counter()
    for index in shuffled:
        turns[index] = drawn_before[groups[index]]
        drawn_before[groups[index]] += 1
    order = shuffled[np.argsort(turns[shuffled], kind="stable")]
    return np.sort(order[:limit])


def project(vectors: NDArray[np.float32], seed: int) -> tuple[NDArray[np.float64], str]:
    """Project embeddings to the plane: t-SNE (van der Maaten and Hinton, JMLR 2008), or PCA where points are few.

    One thread, as the order of its sums would otherwise change with the number of cores.

    Args:
        vectors: [n, d] of unit length, at least one.
        seed: of t-SNE.

    Returns:
        [n, 2], and the name of the method.
    """
    with threadpool_limits(1):
        flat = _principal(vectors.astype(np.float64))
        if len(vectors) < LEAST_FOR_TSNE or flat[:, 0].std() < LEAST_SPREAD:
            return flat, "PCA"
        perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
        tsne = TSNE(2, perplexity=perplexity, init="pca", random_state=seed)
        return tsne.fit_transform(vectors).astype(np.float64), f"t-SNE, perplexity {perplexity:.0f}"


@dataclass(frozen=True)
class EmbeddingMap:
    """A map that is drawn, without its legend.

    Attributes:
        picture: of `SIDE` pixels.
        colours: of the enrolled classes by name; empty where they are too many, and photos stand on the map.
        note: how it was projected, and how many points it shows.
    """

    picture: Image.Image
    colours: Mapping[str, Colour]
    note: str

    def sheet(self, photo_of: Callable[[str], Pixels], heading: str) -> Image.Image:
        """Return the map with a heading and its legend, as one picture.

        Args:
            photo_of: a photo of a class, [H, W, 3] uint8; asked for enrolled classes alone.
            heading: the first line.
        """
        sheet = Sheet(SIDE + LEGEND + GAP, SIDE + GAP, heading, (self.note,))
        sheet.image.paste(self.picture, (0, sheet.top))
        _draw_legend(sheet, self.colours, photo_of)
        return sheet.image


def embedding_map(points: MapPoints, photo_of: Callable[[str], Pixels], seed: int = 0) -> EmbeddingMap:
    """Draw the map: coloured by class where there are few, with photos of classes where there are many.

    Args:
        points: of more than `MAX_POINTS`, so many are drawn evenly from all classes.
        photo_of: a photo of a class, [H, W, 3] uint8; asked for enrolled classes alone.
        seed: of the draw and of t-SNE.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not points.labels:
        raise ValueError("an embedding map needs at least one point")
    shown = points.take(stratified_sample(list(zip(points.kinds, points.labels, strict=True)), MAX_POINTS, seed))
    flat, method = project(shown.vectors, seed)
    note = f"{method}, seed {seed}: {len(shown.labels):,} of {len(points.labels):,} points."
    if method != "PCA":
        note += " What lies together is alike; distances between far groups mean nothing."
    canvas = Image.new("RGB", (SIDE * FINER, SIDE * FINER), PAPER)
    positions = _positions(flat)
    colours = _class_colours(shown)
    if not colours:
        _draw_photos(canvas, shown, positions, photo_of, seed)
    _draw_points(ImageDraw.Draw(canvas), shown, positions, colours)
    return EmbeddingMap(canvas.resize((SIDE, SIDE), Image.Resampling.LANCZOS), colours, note)


def _class_colours(points: MapPoints) -> dict[str, Colour]:
    """Return a colour for each enrolled class; none where the classes are more than the colours."""
    rows = zip(points.labels, points.kinds, strict=True)
    classes = sorted({label for label, kind in rows if kind != "unknown"})
    return dict(zip(classes, PALETTE, strict=False)) if len(classes) <= len(PALETTE) else {}


def _principal(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """The two principal components [n, 2]; scikit-learn's PCA divides by zero where points are one or equal."""
    left, lengths, _ = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    flat: NDArray[np.float64] = (left * lengths)[:, :2]
    return np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))


def _positions(flat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale points [n, 2] to pixels of the canvas: one scale for both axes, the middle in the middle."""
    low, high = flat.min(axis=0), flat.max(axis=0)
    scale = (SIDE - 2 * EDGE) / max(float((high - low).max()), LEAST_SPREAD)
    return ((flat - (low + high) / 2) * scale + SIDE / 2) * FINER


def _draw_photos(
    canvas: Image.Image, points: MapPoints, positions: NDArray[np.float64], photo_of: Callable[[str], Pixels], seed: int
) -> None:
    """Draw a photo of a class near its gallery and tied to it by a line, for as many classes as find room."""
    draw = ImageDraw.Draw(canvas)
    side = PHOTO_SIDE * FINER
    first_row: dict[str, int] = {}
    for row, (label, kind) in enumerate(zip(points.labels, points.kinds, strict=True)):
        if kind == "gallery":
            first_row.setdefault(label, row)
    drawn = np.empty((0, 2))
    for label in np.random.default_rng(seed).permutation(sorted(first_row)):
        if len(drawn) == MAX_PHOTOS:
            break
        position = positions[first_row[label]]
        centre = _free_centre(position, positions, drawn)
        if centre is None:
            continue
        drawn = np.concatenate([drawn, centre[None]])
        draw.line((*position, *centre), GREY, FINER)
        left, upper = (int(edge) for edge in centre - side / 2)
        canvas.paste(Image.fromarray(Preprocessing(side).apply(photo_of(str(label)))), (left, upper))
        draw.rectangle((left, upper, left + side - 1, upper + side - 1), None, GREY, FINER)


def _free_centre(
    position: NDArray[np.float64], points: NDArray[np.float64], drawn: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Return the best centre for a photo near `position`, where no photo is drawn; None where there is none.

    Each point under the photo counts as much as a photo's width of distance.
    """
    half = PHOTO_SIDE * FINER / 2
    steps = np.arange(-REACH, REACH + 1, REACH / 12) * FINER
    offsets = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    centres = position + offsets
    inside = ((centres >= half) & (centres <= SIDE * FINER - half)).all(axis=1)
    apart = np.abs(centres[:, None] - drawn).max(axis=2) >= 2 * half + FINER
    centres = centres[inside & apart.all(axis=1)]
    if not len(centres):
        return None
    near = points[np.abs(points - position).max(axis=1) < REACH * FINER + 2 * half]
    covered = (np.abs(centres[:, None] - near).max(axis=2) < half + RADIUS * FINER).sum(axis=1)
    distance = np.linalg.norm(centres - position, axis=1) / (2 * half)
    best: NDArray[np.float64] = centres[(covered + distance).argmin()]
    return best


def _draw_points(
    draw: ImageDraw.ImageDraw, points: MapPoints, positions: NDArray[np.float64], colours: Mapping[str, Colour]
) -> None:
    """Draw the gallery first: its squares are larger than the points that lie on them."""
    kinds: tuple[Kind, ...] = ("gallery", "unknown", "query")
    for kind in kinds:
        for row in np.flatnonzero(np.array(points.kinds) == kind):
            colour = colours.get(points.labels[row], PLAIN[kind])
            _draw_sign(draw, positions[row], kind, colour, points.qualities[row], FINER)


def _draw_sign(
    draw: ImageDraw.ImageDraw,
    position: NDArray[np.float64],
    kind: Kind,
    colour: Colour,
    quality: AnswerQuality,
    scale: int,
) -> None:
    """Draw a square for the gallery, a disc for a query, a cross for an unknown; a ring where the answer is wrong."""
    x, y = position
    r = (RADIUS + (kind == "gallery")) * scale
    if kind == "unknown":
        draw.line((x - r, y - r, x + r, y + r), colour, 2 * scale)
        draw.line((x - r, y + r, x + r, y - r), colour, 2 * scale)
    elif kind == "gallery":
        draw.rectangle((x - r, y - r, x + r, y + r), colour, PAPER, scale)
    else:
        draw.ellipse((x - r, y - r, x + r, y + r), colour)
    if quality != "right":
        r += 3 * scale
        draw.ellipse((x - r, y - r, x + r, y + r), outline=COLOURS[quality], width=2 * scale)


def _draw_legend(sheet: Sheet, colours: Mapping[str, Colour], photo_of: Callable[[str], Pixels]) -> None:
    left, upper = SIDE + GAP, sheet.top + GAP
    for number, (kind, quality, meaning) in enumerate(SIGNS):
        y = upper + number * SIGN
        colour = PLAIN[kind] if not colours or kind == "unknown" else QUERY
        _draw_sign(sheet.draw, np.array([left + 8, y + 8]), kind, colour, quality, 1)
        sheet.write(left + 24, y, meaning, LEGEND - 24, MUTED)
    upper += len(SIGNS) * SIGN + GAP
    for number, (label, colour) in enumerate(colours.items()):
        y = upper + number * ENTRY
        sheet.photo(left + FRAME, y, photo_of(label), ENTRY - 12, colour)
        sheet.write(left + ENTRY, y + 8, label, LEGEND - ENTRY)
