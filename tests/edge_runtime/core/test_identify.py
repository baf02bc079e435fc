from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from edge_runtime.core.identify import (
    Calibrator,
    DecisionRule,
    Identifier,
    Instance,
    decide,
    right_probability,
    score_and_margin,
)
from edge_runtime.core.release import Release, open_release
from edge_runtime.errors import ImageError, SettingsError
from tests.edge_runtime.toy_release import CALIBRATOR, COLOURS, UNKNOWN, add_localiser, as_format, photo


@pytest.mark.parametrize("label", COLOURS)
def test_an_enrolled_class_is_known(identifier: Identifier, label: str) -> None:
    answer = identifier.identify(photo(COLOURS[label], seed=99))
    assert answer.known
    assert answer.label == label
    assert answer.reason == "match"
    assert answer.matches[0].label == label
    assert answer.matches[0].score == answer.score > 0.99
    assert answer.margin == pytest.approx(answer.score - answer.matches[1].score)
    assert answer.release == identifier.release.id


def test_an_unknown_is_unknown(identifier: Identifier) -> None:
    answer = identifier.identify(photo(UNKNOWN))
    assert not answer.known
    assert answer.label is None
    assert answer.reason == "below_threshold"
    assert answer.matches
    assert "below the 0.970 needed" in answer.explanation


def test_candidates_keep_the_right_answer(identifier: Identifier) -> None:
    answer = identifier.identify(photo(COLOURS["red"]), candidates=["red", "green"])
    assert answer.label == "red"
    assert {match.label for match in answer.matches} == {"red", "green"}


@pytest.mark.parametrize("candidates", [["green"], ["green", "blue", "yellow"]])
def test_a_foreign_object_is_not_mapped_to_the_nearest_candidate(identifier: Identifier, candidates: list[str]) -> None:
    answer = identifier.identify(photo(COLOURS["red"]), candidates=candidates)
    assert not answer.known
    assert answer.label is None
    assert answer.reason == "outside_candidates"
    assert "red" in answer.explanation


def test_a_foreign_object_is_refused_although_a_candidate_passes_the_threshold(identifier: Identifier) -> None:
    lenient = Identifier(identifier.release)
    lenient.rule = DecisionRule(threshold=-1.0, margin=0.0, fpir=1.0)
    answer = lenient.identify(photo(COLOURS["red"]), candidates=["yellow"])
    assert answer.label is None
    assert answer.reason == "outside_candidates"


def test_an_unknown_is_unknown_among_candidates_too(identifier: Identifier) -> None:
    """A class outside the candidates scores higher here, yet too low itself to explain anything."""
    free = identifier.identify(photo(UNKNOWN))
    outsider = free.matches[0].label
    others = [label for label in COLOURS if label != outsider]
    answer = identifier.identify(photo(UNKNOWN), candidates=others)
    assert answer.label is None
    assert answer.score < free.score < identifier.rule.threshold
    assert answer.reason == "below_threshold"
    assert outsider not in answer.explanation


def test_an_unknown_candidate_is_named(identifier: Identifier) -> None:
    with pytest.raises(SettingsError, match="'para' is not a class"):
        identifier.identify(photo(COLOURS["red"]), candidates=["para"])
    with pytest.raises(SettingsError, match="empty list"):
        identifier.identify(photo(COLOURS["red"]), candidates=[])


def test_a_bad_photo_is_named(identifier: Identifier) -> None:
    with pytest.raises(ImageError, match=r"x\.jpg is not a picture"):
        identifier.identify(b"text", name="x.jpg")


def test_the_probability_is_the_calibrators_of_score_and_margin(identifier: Identifier) -> None:
    answers = [identifier.identify(data) for data in (photo(COLOURS["red"], seed=9), photo(UNKNOWN))]
    for answer in answers:
        odds = CALIBRATOR.score * answer.score + CALIBRATOR.margin * answer.margin + CALIBRATOR.intercept
        assert answer.probability == pytest.approx(1 / (1 + np.exp(-odds)))
    known, unknown = (answer.probability for answer in answers)
    assert known is not None
    assert unknown is not None
    assert known > unknown


def test_candidates_do_not_change_what_the_probability_was_fitted_for(identifier: Identifier) -> None:
    red = photo(COLOURS["red"])
    free, restricted = identifier.identify(red), identifier.identify(red, candidates=["red"])
    assert restricted.margin > free.margin
    assert restricted.probability == free.probability
    assert identifier.identify(red, candidates=["green", "blue"]).probability is None


def test_a_release_of_format_1_answers_without_a_probability(release: Release) -> None:
    older = Identifier(open_release(release.folder, as_format(1, release.folder)))
    answer = older.identify(photo(COLOURS["red"]))
    assert answer.label == "red"
    assert answer.probability is None


def test_many_photos_are_embedded_like_one(identifier: Identifier) -> None:
    photos = [photo(colour, seed) for seed in range(20) for colour in COLOURS.values()]
    vectors = identifier.embed(photos)
    assert vectors.shape == (100, identifier.model.dim)
    answers = identifier.answer_embeddings(vectors)
    assert [answer.label for answer in answers] == list(COLOURS) * 20
    for row in (0, 37, 99):
        np.testing.assert_allclose(vectors[row], identifier.embed([photos[row]])[0], atol=1e-5)
    assert identifier.embed([]).shape == (0, identifier.model.dim)
    assert identifier.answer_embeddings(identifier.embed([])) == []


def test_a_photo_is_one_instance_the_whole_of_it(identifier: Identifier) -> None:
    red = photo(COLOURS["red"])
    for candidates in (None, ["green", "blue"]):
        (instance,) = identifier.find(red, candidates)
        assert instance == Instance(box=None, objectness=None, answer=identifier.identify(red, candidates))
    with pytest.raises(ImageError, match=r"x\.jpg is not a picture"):
        identifier.find(b"text", name="x.jpg")


def test_a_release_with_a_localiser_answers_by_its_embedding(identifier: Identifier, release: Release) -> None:
    carrying = Identifier(open_release(release.folder, add_localiser(release.folder)))
    for colour in (COLOURS["red"], UNKNOWN):
        (instance,) = carrying.find(photo(colour))
        expected = identifier.identify(photo(colour))
        assert instance.box is None
        assert instance.answer == replace(expected, release=carrying.release.id)


def test_threads_share_one_identifier(identifier: Identifier) -> None:
    photos = [photo(colour, seed) for seed in range(10) for colour in COLOURS.values()]
    with ThreadPoolExecutor(8) as pool:
        labels = [answer.label for answer in pool.map(identifier.identify, photos)]
    assert labels == list(COLOURS) * 10


def test_decide_on_the_borders() -> None:
    rule = DecisionRule(threshold=0.5, margin=0.25, fpir=0.01)
    scores = np.array(
        [[0.5, 0.25], [0.5, 0.375], [0.4375, 0.0], [0.5, -np.inf], [-np.inf, -np.inf], [np.nan, 0.0]], np.float32
    )
    assert decide(scores, rule).tolist() == [True, False, False, True, False, False]
    assert decide(scores[:, :1], rule).tolist() == [True, True, False, True, False, False]


def test_without_a_second_class_the_margin_reaches_down_to_the_lowest_cosine() -> None:
    scores = np.array([[0.5, 0.25], [0.5, -0.5], [0.5, -np.inf], [-1.0, -np.inf]], np.float32)
    assert score_and_margin(scores).tolist() == [[0.5, 0.25], [0.5, 1.0], [0.5, 1.5], [-1.0, 0.0]]
    assert score_and_margin(scores[:, :1]).tolist() == [[0.5, 1.5]] * 3 + [[-1.0, 0.0]]


def test_probabilities_by_hand() -> None:
    scores = np.array([[0.5, 0.25], [0.75, 0.25], [0.75, -np.inf]], np.float32)
    # Log-odds: 2 - 1 - 1 = 0; 3 - 2 - 1 = 0; 3 - 7 - 1 = -5.
    probabilities = right_probability(scores, Calibrator(score=4.0, margin=-4.0, intercept=-1.0))
    np.testing.assert_allclose(probabilities, [0.5, 0.5, 1 / (1 + np.exp(5))])
    sure = right_probability(scores, Calibrator(score=1e5, margin=0.0, intercept=-6e4))
    assert sure.tolist() == [0.0, 1.0, 1.0]  # without an overflow


@given(
    arrays(np.float32, (6, 3), elements=st.floats(-1, 1, width=32)),
    st.floats(-1, 1),
    st.floats(0, 1),
    st.floats(0, 0.5),
)
def test_a_stricter_rule_knows_no_more(
    scores: NDArray[np.float32], threshold: float, margin: float, more: float
) -> None:
    scores = -np.sort(-scores, axis=1)
    loose = decide(scores, DecisionRule(threshold, margin, 0.1))
    strict = decide(scores, DecisionRule(threshold + more, margin + more, 0.1))
    assert not (strict & ~loose).any()
