"""Which picture a stated size is the size of. Pure."""

from __future__ import annotations

import pytest

from discern.datasets.ingest.stated_size import Picture, fitted, frame_of, frames, is_scaled, reason, usual_frames
from discern.sources.base import StatedSize

LYING = Picture((90, 120), 6)  # upright; its file holds 120 x 90
FLAT = Picture((120, 90), 1)
OVER = Picture((120, 90), 3)
SQUARE = Picture((100, 100), 8)


@pytest.mark.parametrize(
    ("size", "picture", "frame"),
    [
        ((90, 120), LYING, "upright"),
        ((120, 90), LYING, "stored"),
        ((45, 60), LYING, "upright"),
        ((240, 180), LYING, "stored"),
        ((120, 90), FLAT, "upright"),
        ((1200, 900), FLAT, "upright"),
        ((121, 90), FLAT, "upright"),
        ((90, 120), FLAT, None),
        ((120, 120), FLAT, None),
        ((120, 80), LYING, None),
        ((120, 90), OVER, "upright"),
        ((100, 100), SQUARE, "upright"),
    ],
)
def test_a_size_is_of_the_upright_picture_or_of_the_stored_one(
    size: tuple[int, int], picture: Picture, frame: str | None
) -> None:
    assert frame_of(StatedSize(*size), picture, set()) == frame


@pytest.mark.parametrize(
    ("size", "other", "scaled"),
    [
        ((4032, 3024), (640, 480), True),
        ((4032, 3024), (333, 250), True),  # 333.3 x 250
        ((4032, 3024), (333, 247), False),
        ((1920, 1080), (640, 480), False),
        ((640, 478), (640, 480), False),
        ((640, 479), (640, 480), True),
        ((1, 1), (640, 480), False),
        ((7, 7), (70, 70), False),
    ],
)
def test_one_shape_at_two_scales_is_within_a_pixel_of_the_smaller(
    size: tuple[int, int], other: tuple[int, int], scaled: bool
) -> None:
    assert is_scaled(size, other) is is_scaled(other, size) is scaled


@pytest.mark.parametrize("picture", [OVER, SQUARE])
def test_where_both_sizes_are_one_the_others_of_the_source_tell(picture: Picture) -> None:
    stated = StatedSize(*picture.size)
    assert frames(stated, picture) == {"upright", "stored"}
    assert frame_of(stated, picture, {"stored"}) == "stored"
    assert frame_of(stated, picture, {"upright"}) == "upright"
    assert frame_of(stated, picture, {"upright", "stored"}) is None
    assert "the source's other photos are of both kinds: turn the file upright" in reason(stated, picture)


@pytest.mark.parametrize("picture", [OVER, SQUARE])
def test_the_stated_orientation_tells_unless_the_others_contradict(picture: Picture) -> None:
    stated = StatedSize(*picture.size, orientation=picture.orientation)
    assert frame_of(stated, picture, set()) == "stored"
    assert frame_of(stated, picture, {"upright"}) == "upright"
    assert frame_of(stated._replace(orientation=1), picture, set()) == "upright"


def test_only_certain_photos_tell_what_is_usual() -> None:
    seen = [("a", {"stored"}), ("a", {"stored", "upright"}), ("b", {"upright"}), ("b", {"stored"}), ("c", set())]
    assert usual_frames((source, set(possible)) for source, possible in seen) == {  # type: ignore[arg-type]
        "a": {"stored"},
        "b": {"upright", "stored"},
    }


def test_a_reason_names_both_sizes() -> None:
    assert reason(StatedSize(200, 100), LYING).startswith(
        "the annotation is of a picture of 200 x 100 pixels, and the file has 90 x 120 (120 x 90 before EXIF's "
        "orientation): put back the picture"
    )
    assert "the file has 120 x 90: put back" in reason(StatedSize(200, 100), FLAT)


def test_a_box_is_turned_and_scaled() -> None:
    box = (10.0, 50.0, 40.0, 80.0)
    assert fitted(box, StatedSize(120, 90), FLAT, "upright") is box
    assert fitted(box, StatedSize(240, 180), FLAT, "upright") == (5, 25, 20, 40)
    assert fitted(box, StatedSize(120, 90), LYING, "stored") == (10, 10, 40, 40)
    assert fitted(box, StatedSize(240, 180), LYING, "stored") == (50, 5, 65, 20)
