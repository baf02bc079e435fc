"""Check of an artifact store in a folder: a file is written, read, listed and deleted."""

from __future__ import annotations

import secrets
from pathlib import Path

from stacks.doctor.findings import Finding, fault, ok

PROBE = ".discern-doctor-"  # and a random end
CHECK = "artifact store"


def check_folder(path: Path, mend: str) -> list[Finding]:
    """Try the folder of an artifact store; nothing is left in it.

    Args:
        path: the folder.
        mend: the command that makes it.
    """
    if not path.exists():
        return [fault(CHECK, f"{path} does not exist: run `{mend}`.")]
    probe = path / f"{PROBE}{secrets.token_hex(8)}"
    try:
        _try(probe)
    except OSError as error:
        return [fault(CHECK, _sentence(path, error)), *_removed(probe)]
    return _removed(probe) or [ok(CHECK, f"{path} can be written, read, listed and deleted from")]


def _try(probe: Path) -> None:
    """Write a file, read it and find it among the others.

    Raises:
        OSError: one of these fails.
    """
    data = secrets.token_bytes(64)
    probe.write_bytes(data)
    if probe.read_bytes() != data:
        raise OSError(None, "a file reads otherwise than it was written")
    if probe not in probe.parent.iterdir():
        raise OSError(None, "a file that was written is not listed")


def _removed(probe: Path) -> list[Finding]:
    """Remove the file; return a fault where it stays."""
    try:
        probe.unlink(missing_ok=True)
    except NotADirectoryError:  # nothing could be written either
        return []
    except OSError as error:
        return [fault(CHECK, f"{probe} cannot be deleted ({error.strerror}): give yourself the right, and delete it.")]
    return []


def _sentence(path: Path, error: OSError) -> str:
    if isinstance(error, NotADirectoryError):
        return f"{path} is a file where a folder must be: move it away, and run `discern stack apply`."
    return f"{path} cannot be used ({error.strerror}): check its owner, its rights and the disk."
