"""The facts of what every row shows: of its whole picture, or of the thing that its box and margin cut out.

Rules kept:
- the facts of a whole picture are measured where it is decoded, and those of the things in it from its shard, all
  things of a picture by one decoding;
- facts that the earlier version has of the very same cut are taken from it. A version of an older format has those of
  whole pictures whatever is cut out, and no appearance: none of its facts is taken, and nothing is mixed.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from discern.datasets.ingest.image_facts import ShownFacts, measure_shown
from discern.datasets.ingest.reader import PhotosRead
from discern.datasets.manifest import SCHEMA, DatasetVersion, shown
from discern.datasets.shards import ShardStore
from edge_runtime.core.images import decode

Cut = tuple[str, tuple[float, ...] | None, float]  # sha256, box, margin
_FACTS = ("brightness", "sharpness", "phash", "appearance")


def shown_facts(
    photos_read: PhotosRead, published: int, before: DatasetVersion | None, store: ShardStore
) -> list[ShownFacts]:
    """Return the facts of what each photo shows, [n] in the order of the photos.

    Args:
        photos_read: the photos and their pictures.
        published: how many of the pictures, from the first on, are the earlier version's.
        before: the earlier version, if there is one.
        store: the shards.

    Raises:
        DataError: a shard is damaged or out of reach.
    """
    sha256 = photos_read.pictures["sha256"].to_pylist()
    cuts = [
        _cut(sha256[row], photo.box, photo.margin)
        for photo, row in zip(photos_read.photos, photos_read.picture_rows, strict=True)
    ]
    known = _known(before) | _of_whole_pictures(photos_read.pictures.slice(published))
    missing: dict[int, set[Cut]] = defaultdict(set)  # row of the picture -> what is cut out of it
    for cut, row in zip(cuts, photos_read.picture_rows, strict=True):
        if cut not in known:
            missing[row].add(cut)
    known |= _measured(missing, photos_read.pictures, store)
    return [known[cut] for cut in cuts]


def _cut(sha256: str, box: Sequence[float] | None, margin: float) -> Cut:
    return (sha256, None, 0.0) if box is None else (sha256, tuple(box), margin)


def _known(before: DatasetVersion | None) -> dict[Cut, ShownFacts]:
    table = SCHEMA.empty_table() if before is None else before.all_rows().table
    columns = (table[name].to_pylist() for name in ("sha256", "box", "margin"))
    facts = zip(*(table[name].to_pylist() for name in _FACTS), strict=True)
    return {
        _cut(*cut): ShownFacts(*values)
        for cut, values in zip(zip(*columns, strict=True), facts, strict=True)
        if values[-1] is not None
    }


def _of_whole_pictures(pictures: pa.Table) -> dict[Cut, ShownFacts]:
    facts = zip(*(pictures[name].to_pylist() for name in _FACTS), strict=True)
    return {
        _cut(sha256, None, 0.0): ShownFacts(*values)
        for sha256, values in zip(pictures["sha256"].to_pylist(), facts, strict=True)
    }


def _measured(missing: Mapping[int, set[Cut]], pictures: pa.Table, store: ShardStore) -> dict[Cut, ShownFacts]:
    """Measure cuts of pictures that lie in shards, in the order of the shards."""
    shards, places = (pictures[name].to_pylist() for name in ("shard", "row"))

    def measure(row: int) -> dict[Cut, ShownFacts]:
        rgb = decode(store.images(shards[row])[places[row]].as_py())
        return {cut: measure_shown(shown(rgb, cut[1], cut[2])) for cut in missing[row]}

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes without the interpreter's lock
        order = sorted(missing, key=lambda row: (shards[row], places[row]))
        return {cut: facts for some in pool.map(measure, order) for cut, facts in some.items()}
