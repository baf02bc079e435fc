"""A publisher is cut off by SIGKILL before any write that it makes, in a real process; then devices come, and the next.

The child is forked, so that it need not import anything. Audit events come before the change itself, from the
interpreter and not from our code.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from discern.publication.collection import YOUNG, collect
from discern.publication.decisions import Person
from discern.publication.repair import repair
from discern.publication.repository import ReleaseRepository
from discern.publication.rotation import rotate
from edge_runtime.core.release import Release
from edge_runtime.device.home import Home
from edge_runtime.device.updates import pull

CHANGES = frozenset({"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.symlink"})
ADA = Person("Ada", "a test")
CHANNEL = "production"

Action = Callable[[ReleaseRepository], Any]


@dataclass(frozen=True)
class Case:
    """What is cut off, from which state on.

    Attributes:
        action: of the publisher.
        prepare: brings the repository into the state before.
    """

    action: Action
    prepare: Action = lambda _repository: None


def cases(newer: Release) -> dict[str, Case]:
    """Everything that a publisher does to a repository which names an older release of two."""
    changes = {
        "publish": Case(lambda repository: repository.publish(newer, CHANNEL)),
        "rollback": Case(lambda repository: repository.rollback(CHANNEL, _other(repository), ADA.by, ADA.why)),
        "repair": Case(lambda repository: repair(repository.store), _spoil),
        "collect": Case(lambda repository: collect(repository.store, keep=1), _age),
    }
    rotations = {f"rotate {role}": role for role in ("root", "targets", "snapshot", "timestamp")}
    return changes | {name: Case(_rotation(role)) for name, role in rotations.items()}


def kills(name: str, case: Case, releases: tuple[Release, ...], work: Path, step: int = 1) -> Iterator[str | None]:
    """Yield for each kill what was broken afterwards, None where nothing was.

    Args:
        name: of the case.
        case: what is cut off.
        releases: an older release, one that was rolled back from it, and the one that is published.
        work: an empty folder.
        step: only every so many writes.
    """
    template = work / "template"
    repository = _open(template)
    repository.initialise()
    for release in (releases[1], releases[0]):
        repository.publish(release, CHANNEL)
    pull(repository.url, template / "old", CHANNEL, trusted_root=Path(repository.root))
    case.prepare(repository)
    writes = _run(case.action, template, work / "counted", 0)
    for deadly in range(1, writes + 1, step):
        scratch = work / str(deadly)
        if _run(case.action, template, scratch, deadly) != -signal.SIGKILL:
            yield f"{name}: write {deadly} of {writes} was not reached"
            continue
        try:
            _check(name, case, scratch, releases)
        except Exception:  # noqa: BLE001  whatever it is counts
            yield f"{name}, killed before write {deadly} of {writes}: {traceback.format_exc()}"
        else:
            yield None
        shutil.rmtree(scratch)


def _check(name: str, case: Case, folder: Path, releases: tuple[Release, ...]) -> None:
    """Devices of before and new ones take a whole release, the next publisher goes on, and the cut-off work is done."""
    repository = _open(folder)
    root = Path(repository.root)
    if name != "repair":  # it begins with a repository that is spoiled
        for home, given in (("old", None), ("fresh", root)):
            pull(repository.url, folder / home, CHANNEL, trusted_root=given)
            assert Home(folder / home).open_current().id in {release.id for release in releases}
        began = time.monotonic()
        repository.publish(releases[2], "next")
        assert time.monotonic() - began < 5, "the next publisher had to wait"
    if name != "publish":
        case.action(repository)
    repository.publish(releases[2], CHANNEL)
    assert repair(repository.store) == []
    for home, given in (("old", None), ("last", root)):
        pull(repository.url, folder / home, CHANNEL, trusted_root=given)
        assert Home(folder / home).open_current().id == releases[2].id


def _run(action: Action, template: Path, folder: Path, deadly: int) -> int:
    """Do it in a child on a copy; returns how many writes it made, or minus the signal that ended it."""
    shutil.copytree(template, folder, symlinks=True)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        _act(action, folder, deadly, write)
    os.close(write)
    with os.fdopen(read) as told:
        count = told.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code > 0:
        raise AssertionError(f"the publisher failed: {count}")
    return code or int(count)


def _act(action: Action, folder: Path, deadly: int, pipe: int) -> None:
    seen = 0

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        path = arguments[0] if arguments else None
        writes = event in CHANGES
        if event == "open" and isinstance(arguments[2], int):
            writes = bool(arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        if writes and isinstance(path, (str, bytes, os.PathLike)) and os.fsdecode(path).startswith(str(folder)):
            seen += 1
            if seen == deadly:
                os.kill(os.getpid(), signal.SIGKILL)

    status = 1
    try:
        sys.addaudithook(count)
        action(_open(folder))
        os.write(pipe, str(seen).encode())
        status = 0
    except BaseException:  # noqa: BLE001  the parent tells
        os.write(pipe, traceback.format_exc().encode()[-4000:])
    finally:
        os._exit(status)


def _open(folder: Path) -> ReleaseRepository:
    return ReleaseRepository(str(folder / "repository"), folder / "keys")


def _other(repository: ReleaseRepository) -> str:
    """Return the release that the channel does not name."""
    current = repository.current(CHANNEL)
    return next(name for name in repository.history().named_by(CHANNEL) if name != current)


def _rotation(role: str) -> Action:
    return lambda repository: rotate(repository.store, role, ADA)


def _spoil(repository: ReleaseRepository) -> None:
    """Lose the timestamp, a root and the pointer of the channel."""
    for pattern in ("metadata/timestamp.json", "metadata/1.root.json", "targets/channels/*"):
        for path in Path(repository.url).glob(pattern):
            path.unlink()


def _age(repository: ReleaseRepository) -> None:
    for path in Path(repository.url).rglob("*"):
        os.utime(path, (time.time() - YOUNG - 60,) * 2)
