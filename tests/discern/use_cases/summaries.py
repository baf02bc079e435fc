"""Summaries of photos that nobody took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from discern.use_cases.proposal import Speed, propose_splits, split_counts
from discern.use_cases.summary import PhotoSetSummary

SPEED = Speed(ingest=3.0, checks=10.0, teacher_step=0.5, student_step=0.2)


def summary_of(photos: Mapping[str, int], side: int = 120, **facts: Any) -> PhotoSetSummary:
    """The summary of so many photos a class, split as is proposed."""
    split = split_counts(photos, propose_splits(photos))
    known = {"location": "/photos", "layout": "a folder of photos for each class"} | facts
    return PhotoSetSummary(photos=photos, short_sides=(side,) * sum(photos.values()), split=split, **known)


def classes(count: int, each: int) -> dict[str, int]:
    """So many classes of so many photos."""
    return {f"class-{number:03d}": each for number in range(count)}
