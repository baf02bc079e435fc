"""Bring a repository back from what still lies there, and say what was done.

Rules kept:
- the roots come first: those of the publisher's own folder count, and what lies in the repository must follow them;
- of the lists that are signed, the newest one counts that a signed snapshot names;
- what nobody signed is listed only where a person says so: whoever may write to the repository may have put it there;
- nothing is deleted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Root, TargetFile

from discern.errors import PublicationError
from discern.publication import history as histories
from discern.publication.metadata import SNAPSHOT, TARGETS, check_state, signed_by
from discern.publication.repair_content import ContentCheck, list_content
from discern.publication.repair_roots import repair_roots
from discern.publication.signed_files import numbered_files, signed_files, version_of
from discern.publication.store import CONTENT, LIVE, METADATA, SignedStore

TargetList = Mapping[str, TargetFile]


def repair(store: SignedStore, *, unsigned: bool = False) -> list[str]:
    """Bring a repository back.

    Args:
        store: the repository.
        unsigned: where no list is left that the keys signed, make one from the releases that lie there.

    Returns:
        a sentence for each thing that was done; none where nothing was wrong.

    Raises:
        PublicationError: a key does not fit, no signed list is left, or the repository cannot be written.
    """
    done: list[str] = []
    with store.errors():
        root = repair_roots(store, done)
        signing = store.signing(root)
        before = store.files.read(LIVE)
        live = _live_list(store, root, before, done)
        listed = live if live is not None else _signed_list(store, root, before, done)
        if listed is None and not unsigned:
            raise PublicationError(
                f"{store.url} holds no list of releases that these keys signed: look at what lies in "
                f"{store.url}/{CONTENT}, and run `discern release repair --unsigned` to list and sign it."
            )
        check = _content_check(store, root, listed, done)
        if live is None and listed is not None:
            check.tell_lost_decisions()
        check.check_releases()
        check.check_channels(find=listed is None)
        if listed is None:
            done.append(f"A list was made of {len(check.whole)} releases that lie there, which nobody had signed.")
        if live is None or check.targets != live:
            check.write_history()
            store.switch(root, check.targets, _highest_version(store), before, signing)
    return done


def _content_check(store: SignedStore, root: Root, listed: TargetList | None, done: list[str]) -> ContentCheck:
    if listed is None:
        return ContentCheck(store, list_content(store), done)
    lists = signed_files(store, root, TARGETS).values()
    signed = {each.targets[histories.PATH].hashes["sha256"] for each in lists if histories.PATH in each.targets}
    return ContentCheck(store, listed, done, signed)


def _live_list(store: SignedStore, root: Root, before: bytes | None, done: list[str]) -> TargetList | None:
    """Return the list of the live state, None where it is not what the root's keys signed."""
    try:
        if before is None:
            raise PublicationError(f"{LIVE} is missing.")
        return check_state(root, before, store.read_metadata).targets.targets
    except PublicationError as error:
        done.append(f"The live state cannot be used: {_without_mend(error)}.")
        return None


def _signed_list(store: SignedStore, root: Root, before: bytes | None, done: list[str]) -> TargetList | None:
    """Return the newest list that the root's keys signed, and that was live as far as can be told."""
    lists = signed_files(store, root, TARGETS)
    name = _live_name(store, root, before, lists) or next(iter(lists), None)
    if name is None:
        return None
    done.append(f"The list of {METADATA}/{name}, which is signed, is live again.")
    return dict(lists[name].targets)


def _live_name(store: SignedStore, root: Root, before: bytes | None, lists: Mapping[str, Any]) -> str | None:
    """Return the newest list up to the signed timestamp; without one the newest that a signed snapshot names.

    A later list is of a publisher that was cut off or not the first.
    """
    try:
        newest = signed_by(root, "timestamp", before or b"").signed.snapshot_meta.version
        return next((name for name in lists if version_of(name) <= newest), None)
    except (RepositoryError, ValueError):
        named = [snapshot.meta[TARGETS] for snapshot in signed_files(store, root, SNAPSHOT).values()]
    names = [(f"{meta.version}.{TARGETS}", meta) for meta in named]
    return next((name for name, meta in names if name in lists and _fits(meta, store.read_metadata(name))), None)


def _fits(named: Any, data: bytes) -> bool:
    try:
        named.verify_length_and_hashes(data)
    except RepositoryError:
        return False
    return True


def _highest_version(store: SignedStore) -> int:
    """Return the highest version that a file is named by; versions that are drawn lie above it anyway."""
    names = [name for name in numbered_files(store) if not name.endswith(".root.json")]
    return max(map(version_of, names), default=0)


def _without_mend(error: PublicationError) -> str:
    return re.sub(r": run `discern release repair`", "", str(error)).rstrip(".")
