from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import replace

import numpy as np
import pytest

from edge_runtime.core.identify import DecisionRule, Identifier, Instance
from edge_runtime.core.images import Pixels, encode_png
from edge_runtime.core.photo_limits import PhotoLimits
from edge_runtime.core.release import Release, open_release
from edge_runtime.errors import ImageError, SettingsError
from tests.edge_runtime.toy_release import (
    CALIBRATOR,
    COLOURS,
    RULE,
    UNKNOWN,
    add_localiser,
    as_format,
    photo,
    square,
)


@pytest.mark.parametrize("label", COLOURS)
def test_an_enrolled_class_is_known(identifier: Identifier, label: str) -> None:
    answer = identifier.identify(photo(COLOURS[label], seed=99))
    assert answer.known
    assert answer.label == label
    assert (answer.outcome, answer.reason) == ("match", "match")
    assert answer.matches[0].label == label
    assert answer.matches[0].score == answer.score > 0.99
    assert answer.margin == pytest.approx(answer.score - answer.matches[1].score)
    assert answer.release == identifier.release.id


def test_an_unknown_is_unknown(identifier: Identifier) -> None:
    answer = identifier.identify(photo(UNKNOWN))
    assert not answer.known
    assert answer.label is None
    assert (answer.outcome, answer.reason) == ("unknown", "below_threshold")
    assert answer.matches
    assert "below the 0.970 needed" in answer.explanation


def with_rule(identifier: Identifier, **changes: float) -> Identifier:
    """The same release under another rule."""
    other = copy(identifier)
    other.rule = replace(RULE, **changes)
    return other


def test_two_classes_within_the_margin_are_to_be_looked_at_closely(identifier: Identifier) -> None:
    answer = with_rule(identifier, margin=1.9).identify(photo(COLOURS["red"]))
    assert (answer.outcome, answer.reason) == ("look_closely", "within_margin")
    assert not answer.known
    assert answer.label is None
    first, second = answer.matches[:2]
    assert first.label == "red"
    assert answer.explanation.startswith(f"Look closely: red or {second.label}? They score {first.score:.3f} and ")


def test_a_class_that_is_not_probable_enough_is_to_be_looked_at_closely(identifier: Identifier) -> None:
    red = photo(COLOURS["red"])
    probability = identifier.identify(red).probability
    assert probability is not None
    answer = with_rule(identifier, least_probability=probability + 1e-6).identify(red)
    assert (answer.outcome, answer.reason, answer.label) == ("look_closely", "below_probability", None)
    assert answer.probability == probability
    assert with_rule(identifier, least_probability=probability).identify(red).outcome == "match"
    outside = with_rule(identifier, least_probability=0.999).identify(red, candidates=["green"])
    assert (outside.outcome, outside.reason) == ("unknown", "outside_candidates")


def test_an_answer_is_written_with_its_outcome(identifier: Identifier) -> None:
    answer = identifier.identify(photo(COLOURS["red"]))
    written = answer.as_dict()
    assert (written["outcome"], written["known"], written["label"]) == ("match", True, "red")
    assert written["matches"][0] == {"label": "red", "score": answer.score}


DARK: Pixels = (square(COLOURS["red"], side=8) * 0.05).astype(np.uint8)


def test_a_photo_outside_the_limits_names_nothing(identifier: Identifier) -> None:
    strict = copy(identifier)
    strict.photo_limits = PhotoLimits(least_side=20, least_brightness=0.2)
    assert strict.identify(photo(COLOURS["red"])) == identifier.identify(photo(COLOURS["red"]))
    answer = strict.identify(encode_png(DARK))
    assert (answer.outcome, answer.reason, answer.label) == ("unknown", "unusable_photo", None)
    assert answer.probability is None
    assert answer.matches == identifier.identify(encode_png(DARK)).matches
    assert "too small (its shorter side has 8 pixels, at least 20 are needed) and too dark" in answer.explanation
    assert strict.identify(encode_png(DARK), candidates=["green"]).reason == "unusable_photo"
    assert identifier.identify(encode_png(DARK)).reason != "unusable_photo"


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
