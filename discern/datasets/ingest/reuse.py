"""What is known of pictures before they are read: from the version before, and from a run that was interrupted."""

from __future__ import annotations

import pyarrow as pa

from discern.datasets.manifest import SCHEMA, DatasetVersion
from discern.datasets.shards import ShardStore
from discern.sources.base import Photo

_FACTS = ("sha256", "shard", "row", "width", "height", "brightness", "sharpness", "phash", "captured_at")
# The facts of one picture, and the name and the stamp of a photo that holds it.
KNOWN = pa.schema([pa.field("name", pa.string()), SCHEMA.field("stamp"), *map(SCHEMA.field, _FACTS)])


class KnownImages:
    """Pictures that lie in shards already.

    Args:
        version: the version before, or None.
        source: name of the source that is read.
        store: where new shards go; what a version has in another place is not reused.
        interrupted: rows of `KNOWN` that a run left which did not finish.

    Attributes:
        pictures: rows of `KNOWN`: those of the version before, in its order, then the interrupted ones.
        published: how many of them, from the first on, lie in shards of the version before.
    """

    def __init__(
        self, version: DatasetVersion | None, source: str, store: ShardStore, interrupted: pa.Table | None = None
    ) -> None:
        usable = version is not None and version.shards == store.url
        table = version.table if usable and version is not None else SCHEMA.empty_table()
        self.published = table.num_rows
        prefix = f"{source}/" if source else ""
        # The source may have another name now, when it was moved: only what has its name is known by it.
        names = [name.removeprefix(prefix) for name in table["source"].to_pylist()]
        before = table.select(KNOWN.names[1:]).add_column(0, KNOWN.field("name"), pa.array(names, pa.string()))
        self.pictures = pa.concat_tables([before, KNOWN.empty_table() if interrupted is None else interrupted])
        keys = zip(self.pictures["name"].to_pylist(), self.pictures["stamp"].to_pylist(), strict=True)
        self._stamped = {key: place for place, key in enumerate(keys)}
        self._holding = {sha256: place for place, sha256 in enumerate(self.pictures["sha256"].to_pylist())}
        self._sides = self.pictures["width"].to_numpy(), self.pictures["height"].to_numpy()

    def unchanged(self, photo: Photo) -> int | None:
        """The place of the very picture of `photo`, if its stamp tells so."""
        return None if photo.stamp is None else self._stamped.get((photo.name, photo.stamp))

    def holding(self, sha256: str) -> int | None:
        """The place of this picture."""
        return self._holding.get(sha256)

    def size(self, place: int) -> tuple[int, int]:
        """Width and height of a picture, pixels."""
        return int(self._sides[0][place]), int(self._sides[1][place])
