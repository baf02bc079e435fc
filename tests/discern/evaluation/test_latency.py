from __future__ import annotations

from pathlib import Path

import pytest

from discern.evaluation.latency import p95_latency_ms
from edge_runtime.errors import ImageError
from edge_runtime.identify import Identifier
from tests.edge_runtime.toy_release import COLOURS, build_toy, photo


@pytest.fixture(scope="module")
def identifier(tmp_path_factory: pytest.TempPathFactory) -> Identifier:
    return Identifier(build_toy(tmp_path_factory.mktemp("release") / "toy"))


def test_the_time_is_that_of_an_identification_in_milliseconds(identifier: Identifier) -> None:
    assert 0.01 < p95_latency_ms(identifier, [photo(colour) for colour in COLOURS.values()]) < 1000


def test_one_photo_is_enough(identifier: Identifier) -> None:
    assert p95_latency_ms(identifier, [photo((200, 0, 0))]) > 0


def test_no_photo_is_an_error(identifier: Identifier) -> None:
    with pytest.raises(ValueError, match="at least one photo"):
        p95_latency_ms(identifier, [])


def test_a_broken_photo_is_not_passed_over(identifier: Identifier, tmp_path: Path) -> None:
    with pytest.raises(ImageError):
        p95_latency_ms(identifier, [b"not a photo"])
