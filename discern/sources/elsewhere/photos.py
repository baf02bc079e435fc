"""Photos from elsewhere as a model sees them: of a folder or archive that a person names, else rendered ones."""

from __future__ import annotations

import logging

import numpy as np

from discern.errors import DataError
from discern.map_ahead import map_ahead
from discern.sources.elsewhere.rendered import rendered_photo
from discern.sources.files.open import open_tree
from discern.sources.files.tree import Tree
from discern.sources.paths import images_below
from discern.stable_random import stable_sort_key
from discern.words import be, counted
from edge_runtime.core.images import Pixels, Preprocessing, decode
from edge_runtime.errors import ImageError

RENDERED = 200  # photos, where nobody names others
MOST = 500  # of a folder
TOLD = 3  # names of photos that cannot be used

logger = logging.getLogger(__name__)


def elsewhere_photos(address: str | None, preprocessing: Preprocessing) -> Pixels:
    """Return photos of things that no class is of, as a model of this preprocessing sees them.

    Args:
        address: a folder or .zip of photos, or either in a bucket (`s3://...`), with folders inside or without; None
            for rendered ones. Of many photos some are drawn, and a photo that joins moves few of these.
        preprocessing: of the model.

    Returns:
        uint8 [n, size, size, 3]: 200 rendered photos, or up to 500 of the address. Those that cannot be used are left
        out, and told in a warning.

    Raises:
        DataError: the address cannot be opened or read, or holds no photo that can be used.
    """
    if address is None:
        return np.stack([preprocessing.apply(rendered_photo(number)) for number in range(RENDERED)])
    tree = open_tree(address)
    paths = sorted(images_below(tree), key=lambda path: stable_sort_key(0, path))[:MOST]
    if not paths:
        raise DataError(
            f"{address} holds no photos: put photos of things into it that are of no class, or name none, for rendered "
            "ones."
        )
    pixels, faults = _read(tree, paths, preprocessing)
    if not pixels:
        raise DataError(f"none of the photos from elsewhere in {address} can be used: {faults[0]}")
    if faults:
        logger.warning(
            "%s in %s %s left out: %s",
            counted(len(faults), "photo from elsewhere", "photos from elsewhere"),
            address,
            be(len(faults)),
            " ".join(faults[:TOLD]),
        )
    return np.stack(pixels)


def _read(tree: Tree, paths: list[str], preprocessing: Preprocessing) -> tuple[list[Pixels], list[str]]:
    """Return the photos that can be used, and a sentence for each of the others."""
    pixels, faults = [], []

    def read(path: str) -> Pixels | str:
        try:
            return preprocessing.apply(decode(tree.read(path), path))
        except ImageError as error:
            return str(error)

    for _, result in map_ahead(read, paths):
        if isinstance(result, str):
            faults.append(result)
        else:
            pixels.append(result)
    return pixels, faults
