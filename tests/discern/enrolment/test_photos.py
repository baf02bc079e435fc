from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from discern.enrolment.photos import NewPhotos, read_photos
from discern.errors import DataError
from discern.sources.enrolled.ledger import OfferedPhoto
from edge_runtime.core.identify import Identifier
from edge_runtime.core.images import encode_jpeg, encode_png
from edge_runtime.core.photo_limits import PhotoLimits
from edge_runtime.core.release import Release
from edge_runtime.files import sha256_bytes
from tests.discern.toy import disc
from tests.edge_runtime.toy_release import COLOURS, build_toy, photo


def read(release: Release, offered: Sequence[OfferedPhoto]) -> NewPhotos:
    return read_photos(release, Identifier(release).model, offered)


def test_photos_are_embedded_as_the_device_does(toy_release: Release) -> None:
    offered = [OfferedPhoto(label, f"{label}.png", photo(colour, 7)) for label, colour in COLOURS.items()]
    new = read(toy_release, offered)
    device = Identifier(toy_release).embed([one.data for one in offered])
    np.testing.assert_allclose(new.enrolled.vectors, device, atol=1e-6)
    assert new.enrolled.labels == list(COLOURS)
    assert new.enrolled.sha256 == [sha256_bytes(one.data) for one in offered]
    assert new.faults == [""] * 5
    assert new.thumbnails[0].shape == (96, 96, 3)


def test_none_may_be_offered(toy_release: Release) -> None:
    assert read(toy_release, []).enrolled.vectors.shape == (0, toy_release.dim)


def test_all_photos_that_cannot_be_read_are_named(toy_release: Release) -> None:
    offered = [
        OfferedPhoto("a", "good.png", photo(COLOURS["red"])),
        OfferedPhoto("a", "empty.png", b""),
        OfferedPhoto("a", "text.jpg", b"no picture"),
    ]
    with pytest.raises(DataError, match=r"empty\.png is empty .* text\.jpg .* Nothing was enrolled\.$"):
        read(toy_release, offered)


def test_what_is_given_twice_is_read_once_and_told(toy_release: Release) -> None:
    red, blue = photo(COLOURS["red"]), photo(COLOURS["blue"])
    new = read(
        toy_release,
        [OfferedPhoto("a", "1.png", red), OfferedPhoto("a", "2.png", red), OfferedPhoto("b", "3.png", blue)],
    )
    assert (new.names, new.pictures) == (["1.png", "3.png"], [0, 1])
    assert new.notes == ["given 2 times, counted once", ""]


def test_near_duplicates_of_one_label_are_one_picture(toy_release: Release) -> None:
    """Under two labels they stay two: whether one of them is wrong is not known here."""
    pixels = disc("train-0", 1).repeat(8, axis=0).repeat(8, axis=1)
    whole, compressed = encode_png(pixels), encode_jpeg(pixels)
    offered = [
        OfferedPhoto(label, name, data)
        for label, name, data in [("a", "1", whole), ("b", "2", compressed), ("a", "3", compressed)]
    ]
    new = read(toy_release, offered)
    assert new.pictures == [0, 1, 0]
    assert new.notes == ["", "", "nearly the same picture as 1: both count as one"]


def test_a_photo_beyond_the_releases_limits_has_a_fault(tmp_path: Path) -> None:
    release = build_toy(tmp_path / "toy", photo_limits=PhotoLimits(least_brightness=0.3))
    new = read(release, [OfferedPhoto("a", f"{n}.png", photo(c)) for n, c in enumerate([(20, 20, 20), (200,) * 3])])
    assert new.faults[0].startswith("The photo is too dark")
    assert new.faults[1] == ""
