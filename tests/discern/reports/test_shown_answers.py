from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.metrics import Metrics
from discern.releases.comparison import ReleaseComparison
from discern.reports.figures import percent
from discern.reports.shown_answers import AnswerBook, Picture, class_pictures
from edge_runtime.core.identify import Identifier
from edge_runtime.core.images import Pixels
from edge_runtime.core.release import Release

Candidate = tuple[Release, Metrics]
WORDS = {
    "match": "",
    "below_threshold": "its score is below the threshold",
    "within_margin": "two classes are too close to tell apart",
}


def picture_of(label: str) -> Picture:
    return Picture("data:,", label)


@pytest.mark.parametrize("which", ["candidate", "production"])
def test_an_answer_is_told_as_the_device_gives_it(
    which: str,
    candidate: Candidate,
    production: Release,
    comparison: ReleaseComparison,
    toy_version: DatasetVersion,
) -> None:
    """Reasons and probabilities too."""
    release = candidate[0] if which == "candidate" else production
    evaluation = comparison.candidate if which == "candidate" else comparison.production
    assert evaluation is not None
    book = AnswerBook(release, evaluation.results, evaluation.answers.answered, picture_of)
    identifier = Identifier(release)
    reasons = set()
    for row in np.flatnonzero(~evaluation.results.left_out).tolist():
        shown, told = book.answer(row), identifier.identify(evaluation.queries.image_bytes(row))
        assert shown.name == (told.label or "unknown")
        assert shown.nearest == shown.picture.text == told.matches[0].label
        assert shown.reason == WORDS[told.reason]
        assert shown.probability == (None if told.probability is None else percent(told.probability))
        assert shown.right == evaluation.answers.right[row]
        reasons.add(told.reason)
    assert len(reasons) > 1, "the case shows something"


def test_classes_too_close_are_told_apart_from_a_low_score(candidate: Candidate, comparison: ReleaseComparison) -> None:
    evaluation = comparison.candidate
    scores = evaluation.results.scores
    manifest = candidate[0].manifest
    strict = manifest.decision.model_copy(update={"threshold": float(np.median(scores[:, 0])), "margin": 0.05})
    release = replace(candidate[0], manifest=manifest.model_copy(update={"decision": strict}))
    book = AnswerBook(release, evaluation.results, np.full(len(scores), -1), picture_of)
    refused = np.flatnonzero(~evaluation.results.named(book.rule))
    above = scores[refused, 0] >= strict.threshold
    assert [book.answer(row).reason == WORDS["within_margin"] for row in refused] == above.tolist()
    assert 0 < above.sum() < len(above)


def test_a_class_is_drawn_once_however_often_it_is_asked_for() -> None:
    drawn: list[str] = []

    def photo_of(label: str) -> Pixels:
        drawn.append(label)
        return np.zeros((4, 4, 3), np.uint8)

    pictures = class_pictures(photo_of)
    assert pictures("a <b>") is pictures("a <b>")
    assert drawn == ["a <b>"]
    assert pictures("a <b>").text == "Reference picture of a <b>"
