from __future__ import annotations

import pytest

from discern.words import be, counted


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (1, "photo", "1 photo"),
        (0, "photo", "0 photos"),
        (1200, "class", "1,200 classes"),
        (2, "box", "2 boxes"),
        (2, "query", "2 queries"),
        (1, "query", "1 query"),
    ],
)
def test_a_number_and_its_noun_agree(number: int, noun: str, text: str) -> None:
    assert counted(number, noun) == text


def test_a_plural_that_does_not_follow_from_its_end_is_given() -> None:
    assert counted(2, "set of near-duplicates", "sets of near-duplicates") == "2 sets of near-duplicates"
    assert [be(number) for number in (0, 1, 2)] == ["are", "is", "are"]
