"""Check what a list of targets names, and leave out what is lost.

Rules kept:
- a release of which a file is missing or altered leaves the list;
- a channel that named it goes back to the newest release of its history that is whole and that no person decided
  against; a channel that is pinned, or on which the lost release waited, is taken away in place of that;
- a history that nobody signed counts only where the whole list is such a one; otherwise it is told.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime

from tuf.api.metadata import TargetFile

from discern.errors import PublicationError
from discern.publication import history as histories
from discern.publication.catalogue import release_ids
from discern.publication.history import History, Record, parse_history
from discern.publication.metadata import HASHES
from discern.publication.store import CONTENT, SignedStore
from edge_runtime.core.release import ENROLMENT_FILE, ReleaseManifest, parse_manifest, release_id
from edge_runtime.device.repository_paths import (
    channel_named,
    channel_path,
    file_path,
    make_pointer,
    manifest_path,
    parse_pointer,
)
from edge_runtime.errors import EdgeError
from edge_runtime.files import sha256_bytes

STORED = re.compile(rf"{CONTENT}/(?P<folder>(?:.+/)?)(?P<hash>[0-9a-f]{{64}})\.(?P<name>[^/]+)")


class ContentCheck:
    """A list of targets that is put right.

    Args:
        store: where the content lies.
        targets: the list.
        done: gets a sentence for each thing that is put right.
        histories: SHA-256 of the histories that somebody signed; None where any counts.

    Attributes:
        targets: the list, put right.
        whole: the manifests of the releases whose files are all there.
    """

    def __init__(
        self,
        store: SignedStore,
        targets: Mapping[str, TargetFile],
        done: list[str],
        histories: Collection[str] | None = None,
    ) -> None:
        self.targets = dict(targets)
        self.whole: dict[str, ReleaseManifest] = {}
        self._store = store
        self._done = done
        self._known = histories
        self._history = self._read_history()
        self._records: list[Record] = []

    def check_releases(self) -> None:
        """Read all files; releases of which one is missing or altered leave the list."""
        problems: dict[str, str] = {}
        for path in [path for path in self.targets if path.startswith("files/")]:
            if problem := self._problem_of(path):
                problems[path] = problem
        for release in release_ids(self.targets):
            if problem := self._problem_of_release(release, problems):
                self._done.append(f"Release {release} left the list: {problem}.")
                self._records.append(Record(action="retire", release=release, why=problem))
                del self.targets[manifest_path(release)]
        needed = self._needed_files(problems)
        for path in [path for path in self.targets if path.startswith("files/") and path not in needed]:
            del self.targets[path]

    def _needed_files(self, problems: Mapping[str, str]) -> set[str]:
        """Return the files of the whole releases; one that enrolment alone needs may have been lost."""
        needed = set()
        for release, manifest in self.whole.items():
            paths = {name: file_path(name, entry) for name, entry in manifest.published_files.items()}
            enrolment = paths.get(ENROLMENT_FILE)
            if enrolment is not None and (enrolment in problems or enrolment not in self.targets):
                self._done.append(f"Release {release} lost what enrolment into it needs; devices need it not.")
                del paths[ENROLMENT_FILE]
            needed |= set(paths.values())
        return needed

    def check_channels(self, *, find: bool) -> None:
        """Let each channel name a release that is whole.

        Args:
            find: take the channels from the history, and from the pointers that lie there, in place of the list.
        """
        named = self._found_channels() if find else self._listed_channels()
        for channel, release in named.items():
            if release in self.whole:
                self._point(channel, release)
            else:
                self._go_back(channel, release)

    def tell_lost_decisions(self) -> None:
        """Tell what a later history says that no list names any more: it may not be true, and is not gone on from."""
        ours = self._history.records
        copies = [copy.records for match in _stored(self._store) if (copy := _history_in(self._store, match))]
        later = max((copy for copy in copies if copy[: len(ours)] == ours), key=len, default=ours)
        if told := [_described(record) for record in later[len(ours) :]]:
            self._done.append(
                "A later history lies there, whose list was lost or never went live, and which is not gone on from: "
                f"{'; '.join(told)}. Decide again what is to hold."
            )

    def write_history(self) -> None:
        """Write down what was done, and list it."""
        history = self._history.adding([Record(action="repair", why=" ".join(self._done)), *self._records])
        self.targets[histories.PATH] = self._store.upload(None, histories.PATH, history.to_bytes())

    def _problem_of(self, path: str) -> str | None:
        try:
            self._store.read_target(self.targets[path])
        except PublicationError as error:
            return str(error).partition(": publish the release again")[0]
        return None

    def _problem_of_release(self, release: str, problems: Mapping[str, str]) -> str | None:
        """Return why a release is not whole; one that is gets its place in `whole`."""
        path = manifest_path(release)
        if problem := self._problem_of(path):
            return problem
        try:
            manifest = parse_manifest(self._store.read_target(self.targets[path]), path)
        except EdgeError as error:
            return str(error).rstrip(".")
        for name, entry in manifest.files.items():
            file = file_path(name, entry)
            if file not in self.targets:
                return f"{file} is not in the list"
            if file in problems:
                return problems[file]
        self.whole[release] = manifest
        return None

    def _listed_channels(self) -> dict[str, str | None]:
        """Return the channels of the list; of a lost pointer the hash tells which release it named."""
        by_hash = {sha256_bytes(make_pointer(release)): release for release in {*self.whole, *self._history.releases()}}
        channels = [channel for path in self.targets if (channel := channel_named(path))]
        return {name: by_hash.get(self.targets[channel_path(name)].hashes["sha256"]) for name in channels}

    def _found_channels(self) -> dict[str, str | None]:
        named = {name: self._history.names_now(name) for name in self._history.channels()}
        found: dict[str, str | None] = {name: release for name, release in named.items() if release is not None}
        pointers = [match for match in _stored(self._store) if channel_named(_path(match)) not in (None, *named)]
        for match in sorted(pointers, key=lambda match: self._store.files.age(match[0]), reverse=True):
            found[str(channel_named(_path(match)))] = _pointed(self._store.files.read(match[0]))
        return found

    def _point(self, channel: str, release: str) -> None:
        """Let a channel name a release; its pointer is written where it is lost."""
        path = channel_path(channel)
        target = TargetFile.from_data(path, make_pointer(release), HASHES)
        if self.targets.get(path) != target or self._problem_of(path):
            self.targets[path] = self._store.upload(None, path, make_pointer(release))
            self._done.append(f"Channel {channel} names {release}; its pointer was written again.")

    def _go_back(self, channel: str, release: str | None) -> None:
        """Let a channel name the newest release of its history that may come back, or take it away."""
        instead, because = self._instead(channel, release)
        self._records.append(Record(action="repair", channel=channel, release=instead, previous=release))
        lost = f"Channel {channel} named {release or 'a release that is not known any more'}, which is lost"
        if instead is None:
            self.targets.pop(channel_path(channel), None)
            self._done.append(f"{lost}, and {because}: the channel is gone until a release is put on it.")
        else:
            self.targets[channel_path(channel)] = self._store.upload(None, channel_path(channel), make_pointer(instead))
            self._done.append(f"{lost}: it names {instead} again.")

    def _instead(self, channel: str, release: str | None) -> tuple[str | None, str]:
        """Return the release that a channel goes back to; None with the reason where it goes back to none."""
        history = self._history
        if history.pinned(channel) is not None:
            return None, "it is pinned"
        if release is not None and history.waiting(release, channel) is not None:
            return None, "that release waited there for a person"
        whole = [name for name in history.named_by(channel) if name in self.whole]
        free = next((name for name in whole if history.held(name, channel) is None), None)
        held = ", ".join(f"{name} was {history.held(name, channel)}" for name in whole)
        return free, held or "no other is left"

    def _read_history(self) -> History:
        target = self.targets.get(histories.PATH)
        if target is not None and self._problem_of(histories.PATH) is None:
            return parse_history(self._store.read_target(target), histories.PATH)
        copies = [
            copy for match in _stored(self._store) if self._counts(match) and (copy := _history_in(self._store, match))
        ]
        if target is None and not copies:
            return History()
        newest = max(copies, key=_length, default=History())
        self._done.append(
            f"The history was lost; the longest copy has {len(newest.records)} records, and goes on: what was decided "
            "since is not known any more."
        )
        self.targets.pop(histories.PATH, None)
        return newest

    def _counts(self, match: re.Match[str]) -> bool:
        """Return True for a history that somebody signed, or where any counts."""
        return self._known is None or match["hash"] in self._known


def list_content(store: SignedStore) -> dict[str, TargetFile]:
    """Return a list of the releases that lie in a repository: their manifests, and the files that these name."""
    listed: dict[str, TargetFile] = {}
    for match in _stored(store):
        path = _path(match)
        data = store.files.read(match[0]) if path.startswith("releases/") else None
        if data is None or path != manifest_path(release_id(data)):
            continue
        try:
            manifest = parse_manifest(data, path)
        except EdgeError:
            continue
        listed[path] = TargetFile.from_data(path, data, HASHES)
        for name, entry in manifest.published_files.items():
            file = file_path(name, entry)
            listed[file] = TargetFile(entry.bytes, {"sha256": entry.sha256}, file)
    return listed


def _history_in(store: SignedStore, match: re.Match[str]) -> History | None:
    """Return the history that lies in a stored file, None where there is none."""
    if _path(match) != histories.PATH:
        return None
    data = store.files.read(match[0]) or b""
    try:
        return parse_history(data, match[0]) if sha256_bytes(data) == match["hash"] else None
    except PublicationError:
        return None


def _described(record: Record) -> str:
    parts = (record.action, record.release, record.channel and f"on {record.channel}", record.by and f"by {record.by}")
    return " ".join(filter(None, parts)) + (f" ({record.why})" if record.why else "")


def _length(history: History) -> tuple[int, datetime | None]:
    return len(history.records), history.records[-1].when if history.records else None


def _stored(store: SignedStore) -> list[re.Match[str]]:
    return [match for name in store.files.files(CONTENT) if (match := STORED.fullmatch(name))]


def _path(match: re.Match[str]) -> str:
    return f"{match['folder']}{match['name']}"


def _pointed(data: bytes | None) -> str | None:
    try:
        return parse_pointer(data or b"", "a pointer")
    except EdgeError:
        return None
