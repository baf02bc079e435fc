"""Pictures that lie in shards already: those of the earlier version, and those that an interrupted run stored."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from discern.datasets.manifest import SCHEMA, DatasetVersion
from discern.datasets.shards import ShardStore
from discern.sources.base import Photo

_FACTS = ("sha256", "shard", "row", "width", "height", "brightness", "sharpness", "phash", "appearance", "captured_at")
# The facts of one picture, and the name and the stamp of a photo that holds it. Those of an earlier version are of what
# a row shows, one for each picture.
KNOWN = pa.schema([pa.field("name", pa.string()), SCHEMA.field("stamp"), *map(SCHEMA.field, _FACTS)])


class KnownImages:
    """Pictures that need not be stored again, nor read where their photo's stamp is unchanged.

    Args:
        version: the earlier version, or None.
        source: name of the source that is read.
        store: where new shards go; a version whose shards lie elsewhere is not reused.
        interrupted: rows of `KNOWN` that an unfinished run left.

    Attributes:
        pictures: rows of `KNOWN`: those of the earlier version, in its order, then the interrupted ones.
        published: how many of them, from the first on, lie in shards of the earlier version.
    """

    def __init__(
        self, version: DatasetVersion | None, source: str, store: ShardStore, interrupted: pa.Table | None = None
    ) -> None:
        earlier = _pictures_of(version, source, store)
        self.published = earlier.num_rows
        self.pictures = pa.concat_tables([earlier, KNOWN.empty_table() if interrupted is None else interrupted])
        names, stamps = (self.pictures[column].to_pylist() for column in ("name", "stamp"))
        self._by_stamp = {key: row for row, key in enumerate(zip(names, stamps, strict=True))}
        self._by_sha256 = {sha256: row for row, sha256 in enumerate(self.pictures["sha256"].to_pylist())}

    def unchanged(self, photo: Photo) -> int | None:
        """Return the row of the photo's picture if its stamp shows that it is unchanged."""
        return None if photo.stamp is None else self._by_stamp.get((photo.name, photo.stamp))

    def holding(self, sha256: str) -> int | None:
        """Return the row of this picture."""
        return self._by_sha256.get(sha256)


def _pictures_of(version: DatasetVersion | None, source: str, store: ShardStore) -> pa.Table:
    """Rows of `KNOWN` for the pictures of a version, if its shards lie in `store`."""
    if version is None or version.shards != store.url:
        return KNOWN.empty_table()
    rows = version.all_rows().table
    rows = rows.filter(pc.is_valid(rows["phash"]))  # nobody measured those of a manifest of format 1
    prefix = f"{source}/" if source else ""
    # A source that was moved may have another name now: its photos are then told by their content alone.
    names = [name.removeprefix(prefix) for name in rows["source"].to_pylist()]
    return rows.select(KNOWN.names[1:]).add_column(0, KNOWN.field("name"), pa.array(names, pa.string()))
