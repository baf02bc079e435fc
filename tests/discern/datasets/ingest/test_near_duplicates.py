"""Near-duplicates: found after re-encoding and scaling, and not where two photos merely resemble each other."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from skimage.metrics import structural_similarity

from discern.datasets.disjoint_sets import DisjointSets
from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.ingest.image_facts import measure_image
from discern.datasets.ingest.local_change import View
from discern.datasets.ingest.near_duplicates import (
    MAX_DISTANCE,
    MIN_CORRELATION,
    Pair,
    Pictures,
    candidates,
    confirm,
    correlation,
)
from discern.sources.pills import PillsConfig, PillSource
from edge_runtime.core.images import Pixels, decode
from tests.discern.pictures import jpeg

CONFIG = CleaningConfig()
PILLS = PillsConfig(families=8, siblings=2, photos_per_class=3, size=96, seed=5)


def never(first: int, second: int) -> bool:
    return False


def again(data: bytes, scale: float, quality: int, kind: str) -> bytes:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    size = (round(image.width * scale), round(image.height * scale))
    buffer = io.BytesIO()
    image.resize(size, Image.Resampling.BICUBIC).save(buffer, kind, quality=quality)
    return buffer.getvalue()


def near(encoded: list[bytes]) -> set[tuple[int, int]]:
    hashes = np.array([measure_image(data, "x").phash for data in encoded], np.uint64)
    pictures = Pictures(lambda place: decode(encoded[place]))
    pairs = candidates(hashes, np.ones(len(encoded), bool), CONFIG.near_distance, pictures)
    return {(pair.first, pair.second) for pair in confirmed(pairs, pictures)}


def confirmed(pairs: NDArray[np.int64], pictures: Pictures) -> list[Pair]:
    return list(confirm(pairs, pictures, CONFIG.near_similarity, CONFIG.near_change, never))


def noise(count: int) -> Pictures:
    """Pictures that differ everywhere."""
    return Pictures(lambda place: np.random.default_rng(place).integers(0, 255, (24, 24, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("scale", "quality", "kind"),
    [(1, 30, "JPEG"), (0.5, 80, "JPEG"), (2, 60, "JPEG"), (0.75, 70, "WEBP"), (1, 0, "PNG")],
)
def test_a_copy_saved_in_another_way_is_found_and_nothing_else(scale: float, quality: int, kind: str) -> None:
    originals = [photo.load() for photo in PillSource(PILLS, workers=1).photos()]
    copies = [again(data, scale, quality, kind) for data in originals]
    count = len(originals)
    copied = {(i, count + i) for i in range(count)}
    found = near([*originals, *copies])
    assert found <= copied
    assert len(found) >= 0.97 * count


def test_an_upright_copy_of_a_turned_photo_is_found() -> None:
    upright = PillSource(PILLS, workers=1).photos().__next__().load()
    image = Image.open(io.BytesIO(upright)).transpose(Image.Transpose.ROTATE_90)
    exif = image.getexif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95, exif=exif)
    assert near([upright, buffer.getvalue()]) == {(0, 1)}


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_candidates_are_the_pairs_within_the_distance(data: st.DataObject) -> None:
    words = data.draw(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=6))
    flips = st.lists(st.integers(0, 63), max_size=9)
    hashes = [word ^ sum(1 << bit for bit in set(data.draw(flips))) for word in words for _ in range(2)]
    fresh = [data.draw(st.booleans()) for _ in hashes]
    distance = data.draw(st.integers(0, MAX_DISTANCE))
    expected = {
        (i, k)
        for i, k in itertools.combinations(range(len(hashes)), 2)
        if (hashes[i] ^ hashes[k]).bit_count() <= distance and (fresh[i] or fresh[k])
    }
    found = candidates(np.array(hashes, np.uint64), np.array(fresh), distance, noise(len(hashes)))
    assert {(i, k) for i, k in found.tolist()} == expected


def test_a_crowd_of_equal_hashes_stays_small() -> None:
    hashes = np.full(1500, 12345, np.uint64)
    alike = Pictures(lambda _: np.full((8, 8, 3), 100, np.uint8))
    pairs = candidates(hashes, np.ones(1500, bool), 6, alike)
    assert len(pairs) < 1500 * 40
    joined = DisjointSets(1500)
    for first, second in pairs.tolist():
        joined.join(first, second)
    assert len(joined.sets(range(1500))) < 150


def test_nothing_gives_no_pairs() -> None:
    assert candidates(np.array([], np.uint64), np.array([], bool), 6, noise(0)).shape == (0, 2)


def test_pairs_that_are_joined_are_not_looked_at() -> None:
    data = [jpeg(1, 64), again(jpeg(1, 64), 1, 80, "JPEG")]
    pairs = np.array([[0, 1]])
    pictures = Pictures(lambda place: decode(data[place]))
    assert list(confirm(pairs, pictures, 0.5, 1.0, lambda *_: True)) == []


def test_the_correlation_of_thumbnails() -> None:
    flat: Pixels = np.full((32, 32, 3), 7, np.uint8)
    one = View.of(decode(jpeg(1, 64))).coarse
    inverse: Pixels = np.invert(one)
    assert correlation(flat, flat) == 1
    assert correlation(flat, one) == 0
    assert correlation(one, one) == 1
    assert correlation(one, inverse) == pytest.approx(-1)


def drawing(row: int, length: int = 6) -> Pixels:
    """A thin short line on white."""
    pixels: Pixels = np.full((96, 96, 3), 255, np.uint8)
    pixels[row, 40 : 40 + length] = 0
    return pixels


def test_two_thin_drawings_on_white_are_no_near_duplicates() -> None:
    """Their structure agrees almost everywhere, for almost everywhere is white; only correlation tells them apart."""
    pictures = [drawing(30), drawing(60), drawing(30, length=5)]
    thumbnails = [View.of(picture).coarse for picture in pictures]
    structure = structural_similarity(thumbnails[0], thumbnails[1], channel_axis=2, data_range=255)
    assert structure >= CONFIG.near_similarity
    assert correlation(thumbnails[0], thumbnails[1]) < MIN_CORRELATION
    pairs = confirmed(np.array([[0, 1], [0, 2]]), Pictures(lambda place: pictures[place]))
    assert [(pair.first, pair.second) for pair in pairs] == [(0, 2)]
