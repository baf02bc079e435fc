"""Counted things in messages and on pages: "1 photo", "2 classes"."""

from __future__ import annotations

ENDINGS = {"y": "ies", "s": "ses", "x": "xes"}  # of nouns whose plural takes more than an s


def counted(number: int, noun: str, several: str = "") -> str:
    """Return a number and what is counted, such as `1 photo` or `1,200 classes`.

    Args:
        number: how many.
        noun: one of them.
        several: the plural, where it does not follow from the last letter of `noun`.
    """
    return f"{number:,} {noun if number == 1 else several or plural(noun)}"


def plural(noun: str) -> str:
    """Return the plural of a regular noun that ends in a consonant and y, in s, in x, or in any other letter."""
    ending = ENDINGS.get(noun[-1])
    return f"{noun}s" if ending is None else noun[:-1] + ending


def be(number: int) -> str:
    """Return `is` for one thing and `are` for several."""
    return "is" if number == 1 else "are"
