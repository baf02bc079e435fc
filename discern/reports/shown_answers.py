"""Answers to queries as the pages show them: the photo, the picture of what it was taken for, and words for the rest.

No cosine is shown: a reader who needs one finds it on the pictures that MLflow keeps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from discern.evaluation.retrieval import UNKNOWN, SearchResults
from discern.reports.figures import percent
from discern.reports.html import data_uri
from edge_runtime.core.decision import reasons
from edge_runtime.core.images import Pixels
from edge_runtime.core.release import Release

REASONS = {
    "below_threshold": "its score is below the threshold",
    "within_margin": "two classes are too close to tell apart",
    "below_probability": "it is too unsure",
    "match": "",
}


@dataclass(frozen=True)
class Picture:
    """A small picture.

    Attributes:
        address: a `data:` address.
        text: what is seen, for those who do not see it.
    """

    address: str
    text: str


@dataclass(frozen=True)
class ShownAnswer:
    """A release's answer to one query.

    Attributes:
        name: the answered class, or `unknown`.
        right: whether that is right.
        reason: why it is unknown; empty where a class is named.
        nearest: the class of the picture.
        probability: that the nearest class is right, in per cent; None where the release states none.
        picture: of the nearest class.
    """

    name: str
    right: bool
    reason: str
    nearest: str
    probability: str | None
    picture: Picture


class AnswerBook:
    """The answers of one release to the test queries.

    Args:
        release: what answered; gives the decision rule and the calibrator.
        results: the nearest classes.
        answers: [q] number of the answered class, or -1 for `unknown`.
        picture_of: gives a picture of a class by its label.
    """

    def __init__(
        self,
        release: Release,
        results: SearchResults,
        answers: NDArray[np.int64],
        picture_of: Callable[[str], Picture],
    ) -> None:
        manifest = release.manifest
        self.results = results
        self.rule = manifest.decision.build()
        self._answers, self._picture_of = answers, picture_of
        calibration = manifest.calibration
        calibrator = None if calibration is None else calibration.build()
        self._probabilities = results.stated_by(calibrator).probabilities
        self._reasons = reasons(results.scores, self.rule, self._probabilities)

    def answer(self, row: int) -> ShownAnswer:
        """Return the answer to query number `row`."""
        results, answer = self.results, self._answers[row]
        nearest = results.labels[results.best_class[row]]
        unknown = answer == UNKNOWN
        return ShownAnswer(
            name="unknown" if unknown else results.labels[answer],
            right=bool(answer == results.truth[row]),
            reason=self._reason(row) if unknown else "",
            nearest=nearest,
            probability=None if self._probabilities is None else percent(float(self._probabilities[row])),
            picture=self._picture_of(nearest),
        )

    def _reason(self, row: int) -> str:
        return REASONS[str(self._reasons[row])]


def class_pictures(photo_of: Callable[[str], Pixels]) -> Callable[[str], Picture]:
    """Return what gives the reference picture of a class by its label, each encoded once."""
    made: dict[str, Picture] = {}

    def picture_of(label: str) -> Picture:
        if label not in made:
            made[label] = Picture(data_uri(photo_of(label)), f"Reference picture of {label}")
        return made[label]

    return picture_of
