"""`python -m benchmarks.grocery_heldout_scratch --photos PATH`: as `benchmarks.grocery_heldout`, without weights.

Teacher and student learn from the other 51 products alone, so that none of those held out was ever seen.
"""

from __future__ import annotations

from benchmarks.grocery_heldout import measure


def main() -> None:
    """Measure the recipe of `configs/groceries_scratch`."""
    measure("grocery_heldout_scratch", "groceries_scratch", __doc__)


if __name__ == "__main__":
    main()
