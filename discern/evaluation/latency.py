"""The time of one identification on this machine and one thread, and the time of its model alone."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.identify import Identifier
from edge_runtime.core.images import Pixels

Name = TypeVar("Name", bound=str)
WARM_UP = 3  # calls that are not counted
TURN = 5  # calls of one model before the next has its turn


class Latency(NamedTuple):
    """The time of one identification, milliseconds."""

    median: float
    p95: float


def identification_latencies(identifiers: Sequence[Identifier], photos: Sequence[bytes]) -> list[Latency]:
    """Time `identify` over `photos`, one at a time, with each of several releases.

    They take turns as in `median_latency_ms`, so that a busy machine slows all of them alike.

    Raises:
        ValueError: there is no photo.
    """
    if not photos:
        raise ValueError("latency needs at least one photo")
    for identifier in identifiers:
        for photo in photos[:WARM_UP]:
            identifier.identify(photo)
    times: list[list[float]] = [[] for _ in identifiers]
    for start in range(0, len(photos), TURN):
        for identifier, seconds in zip(identifiers, times, strict=True):
            identifier.identify(photos[start])
            seconds += [_seconds(identifier, photo) for photo in photos[start : start + TURN]]
    return [Latency(*(float(part) * 1000 for part in np.quantile(seconds, [0.5, 0.95]))) for seconds in times]


def _seconds(identifier: Identifier, photo: bytes) -> float:
    started = time.perf_counter()
    identifier.identify(photo)
    return time.perf_counter() - started


def median_latency_ms(models: Mapping[Name, OnnxEmbedder], photos: Pixels, repetitions: int) -> dict[Name, float]:
    """Median time of `embed` for one photo, milliseconds, of each of several models.

    They take turns, so that a busy machine slows all of them alike. A turn begins with a call that is not counted: it
    brings the model's weights back into the cache, where they lie on a device that runs no other model.

    Args:
        models: by name.
        photos: [n, size, size, 3] uint8; each call takes the next one.
        repetitions: counted calls of each model, rounded up to whole turns.

    Raises:
        ValueError: there is no photo, or no repetition.
        ReleaseError: a model fails.
    """
    if len(photos) == 0 or repetitions < 1:
        raise ValueError("latency needs at least one photo and one repetition")
    times: dict[Name, list[float]] = {name: [] for name in models}
    for turn in range(-(-repetitions // TURN)):
        for name, model in models.items():
            model.embed(photos[:1])
            for call in range(TURN):
                number = (turn * TURN + call) % len(photos)
                started = time.perf_counter()
                model.embed(photos[number : number + 1])
                times[name].append(time.perf_counter() - started)
    return {name: float(np.median(seconds) * 1000) for name, seconds in times.items()}
