"""Photos of things that no gallery holds, for the decision rule of a set whose own classes show too few unknowns."""

from __future__ import annotations

from discern.evaluation.queries import DecodedSplit
from discern.sources.elsewhere.photos import elsewhere_photos
from edge_runtime.core.images import Pixels, Preprocessing

MANY_CLASSES = 20  # asked as unknowns; of fewer a rule learns little about other things


def photos_from_elsewhere(setting: str, queries: DecodedSplit, preprocessing: Preprocessing) -> Pixels | None:
    """Return [n, size, size, 3] photos as `packaging.elsewhere` says; None where there are none.

    Args:
        setting: `auto`, `none`, `built-in`, or the address of a folder or zip.
        queries: of the validation split.
        preprocessing: of the model.

    Raises:
        DataError: the photos cannot be read.
    """
    asked = (queries.unknown | queries.asked_twice) & set(queries.rows.labels)
    if setting == "none" or (setting == "auto" and len(asked) >= MANY_CLASSES):
        return None
    return elsewhere_photos(None if setting in {"auto", "built-in"} else setting, preprocessing)
