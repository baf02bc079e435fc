"""The numbered metadata files that lie in a repository, whether or not a live state names them."""

from __future__ import annotations

import re
from typing import Any

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Root

from discern.publication.metadata import signed_by
from discern.publication.store import METADATA, SignedStore

NUMBERED = re.compile(r"(\d+)\.[a-z]+\.json")


def signed_files(store: SignedStore, root: Root, ending: str) -> dict[str, Any]:
    """Return the content of the numbered files that the root's keys signed, by name, the newest first.

    Args:
        store: where they lie.
        root: whose keys count.
        ending: `targets.json` or `snapshot.json`.
    """
    names = [name for name in numbered_files(store) if name.endswith(f".{ending}")]
    parsed = {name: _parse(store, root, name) for name in sorted(names, key=version_of, reverse=True)}
    return {name: content for name, content in parsed.items() if content is not None}


def numbered_files(store: SignedStore) -> list[str]:
    """Return the names of all numbered metadata files."""
    names = [name.removeprefix(f"{METADATA}/") for name in store.files.files(METADATA)]
    return [name for name in names if NUMBERED.fullmatch(name)]


def version_of(name: str) -> int:
    """Return the version that a numbered file is named by."""
    return int(name.partition(".")[0])


def _parse(store: SignedStore, root: Root, name: str) -> Any:
    try:
        return signed_by(root, name.split(".")[1], store.read_metadata(name)).signed
    except (RepositoryError, ValueError):
        return None
