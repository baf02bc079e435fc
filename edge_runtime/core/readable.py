"""Numbers in sentences: two that differ never read alike."""

from __future__ import annotations

from decimal import Decimal


def told_apart(first: float, second: float, digits: int = 3) -> tuple[str, str]:
    """Write two finite numbers with `digits` digits behind the point, or with as many more as tell them apart.

    The smaller number also reads as the smaller one. Equal numbers have one text.
    """
    return _told_apart(Decimal(first), Decimal(second), digits)


def percents_apart(first: float, second: float) -> tuple[str, str]:
    """Write two shares, 0 to 1, in whole per cents, or with as many digits as tell them apart."""
    texts = _told_apart(100 * Decimal(first), 100 * Decimal(second), 0)
    return f"{texts[0]} %", f"{texts[1]} %"


def _told_apart(first: Decimal, second: Decimal, digits: int) -> tuple[str, str]:
    first, second = first or Decimal(), second or Decimal()  # zero has no sign to read
    texts = f"{first:.{digits}f}", f"{second:.{digits}f}"
    # Compared as numbers: "-0.000" and "0.000" read as one.
    while first != second and Decimal(texts[0]) == Decimal(texts[1]):
        digits += 1
        texts = f"{first:.{digits}f}", f"{second:.{digits}f}"
    return texts
