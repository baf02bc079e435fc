from __future__ import annotations

import numpy as np
import pytest

from discern.sources.elsewhere.rendered import SIDE
from discern.sources.pills.config import PillsConfig
from discern.sources.pills.photo import render_photo
from discern.use_cases.picture_kind import SEEN, PictureKind, kind_of
from edge_runtime.core.images import Pixels


def pills(count: int = 9) -> list[Pixels]:
    config = PillsConfig(families=count, photos_per_class=1, size=SIDE)
    return [render_photo(config, number, 0) for number in range(count)]


def letter(ink: tuple[int, int, int]) -> Pixels:
    picture = np.full((SIDE, SIDE, 3), 255, np.uint8)
    picture[20:70, 40:48] = picture[20:28, 30:60] = ink
    return picture


@pytest.mark.parametrize(
    ("pictures", "kind"),
    [
        (pills(), "photos"),
        ([np.repeat(pill.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8) for pill in pills()], "grey"),
        ([letter((0, 0, 0))], "grey"),
        ([letter((200, 0, 0))], "drawings"),
        ([*pills(3), letter((0, 0, 0))], "photos"),
    ],
    ids=["pills", "grey pills", "ink", "red ink", "most are photos"],
)
def test_the_kind_is_that_of_the_median_picture(pictures: list[Pixels], kind: PictureKind) -> None:
    assert kind_of(np.stack([SEEN.apply(picture) for picture in pictures])) == kind
