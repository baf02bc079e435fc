from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from discern.evaluation.latency import identification_latencies, median_latency_ms
from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.identify import Identifier
from edge_runtime.core.images import Pixels, Preprocessing
from edge_runtime.errors import ImageError, ReleaseError
from tests.edge_runtime.toy_release import COLOURS, PREPROCESSING, SIZE, build_toy, photo, write_model


@pytest.fixture(scope="module")
def identifier(tmp_path_factory: pytest.TempPathFactory) -> Identifier:
    return Identifier(build_toy(tmp_path_factory.mktemp("release") / "toy"))


def test_the_time_is_that_of_an_identification_in_milliseconds(identifier: Identifier) -> None:
    found = identification_latencies([identifier, identifier], [photo(colour) for colour in COLOURS.values()] * 4)
    assert len(found) == 2
    for latency in found:
        assert 0.01 < latency.median <= latency.p95 < 1000


def test_one_photo_is_enough(identifier: Identifier) -> None:
    assert identification_latencies([identifier], [photo((200, 0, 0))])[0].p95 > 0


def test_no_photo_is_an_error(identifier: Identifier) -> None:
    with pytest.raises(ValueError, match="at least one photo"):
        identification_latencies([identifier], [])


def test_a_broken_photo_is_not_passed_over(identifier: Identifier, tmp_path: Path) -> None:
    with pytest.raises(ImageError):
        identification_latencies([identifier], [b"not a photo"])


def black(count: int, size: int = SIZE) -> Pixels:
    return np.zeros((count, size, size, 3), np.uint8)


def test_models_are_timed_by_name_and_the_larger_one_takes_longer(tmp_path: Path) -> None:
    class Padded(OnnxEmbedder):
        """As slow as its input is large."""

        def embed(self, batch: Pixels) -> np.ndarray:
            return super().embed(np.resize(batch, (len(batch), 256, 256, 3)) if batch.shape[1] == SIZE else batch)

    small = OnnxEmbedder(write_model(tmp_path / "small.onnx"), PREPROCESSING)
    large = Padded(write_model(tmp_path / "large.onnx", size=256), Preprocessing(256))
    times = median_latency_ms({"small": small, "large": large}, black(3), 20)
    assert list(times) == ["small", "large"]
    assert 0 < times["small"] < times["large"] < 1000


def test_one_photo_and_one_repetition_are_enough_for_the_median(tmp_path: Path) -> None:
    model = OnnxEmbedder(write_model(tmp_path / "model.onnx"), PREPROCESSING)
    assert median_latency_ms({"model": model}, black(1), 1)["model"] > 0


@pytest.mark.parametrize(("photos", "repetitions"), [(0, 10), (1, 0)])
def test_a_median_of_nothing_is_an_error(tmp_path: Path, photos: int, repetitions: int) -> None:
    model = OnnxEmbedder(write_model(tmp_path / "model.onnx"), PREPROCESSING)
    with pytest.raises(ValueError, match="at least one photo and one repetition"):
        median_latency_ms({"model": model}, black(photos), repetitions)


def test_a_model_that_fails_has_no_median(tmp_path: Path) -> None:
    model = OnnxEmbedder(write_model(tmp_path / "model.onnx"), PREPROCESSING)
    with pytest.raises(ReleaseError, match="wants uint8"):
        median_latency_ms({"model": model}, black(1, SIZE + 1), 5)
