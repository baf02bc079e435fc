"""Checks of this machine: Python, packages, git, disk, variables of the environment."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet

from stacks.doctor.findings import Finding, fault, ok, warning

PYTHONS = SpecifierSet(">=3.11,<3.13")  # as pyproject.toml says
GB = 1e9  # bytes
# A version takes as much as its new photos, a training some hundreds of MB for weights, its state and a release.
ROOM, LEAST_ROOM = 5.0, 0.5  # GB
SHOWN = 6  # packages in a sentence


def check_python(version_info: str = platform.python_version()) -> Finding:
    """Compare the version of Python with those that the packages are known to work with."""
    if PYTHONS.contains(version_info, prereleases=True):
        return ok("python", version_info)
    return fault("python", f"{version_info} is none of {PYTHONS}: make the environment anew with `make setup`.")


def check_packages(lock: Path) -> Finding:
    """Compare the installed packages with a lock file; without one there is nothing to compare."""
    if not lock.is_file():
        return ok("packages", f"there is no {lock} to compare them with")
    pinned = dict(_pinned(lock.read_text()))
    different = [
        f"{name} {installed or 'missing'} ({wanted})"
        for name, wanted in pinned.items()
        if (installed := _installed(name)) != wanted
    ]
    if not different:
        return ok("packages", f"{len(pinned)} are as {lock.name} says")
    more = f" and {len(different) - SHOWN} more" if len(different) > SHOWN else ""
    return warning(
        "packages", f"{', '.join(different[:SHOWN])}{more} differ from {lock} (in brackets): run `make setup`."
    )


def _pinned(text: str) -> Iterator[tuple[str, str]]:
    """Yield name and version of each package that a lock file wants on this machine."""
    for line in text.splitlines():
        stated = re.split(r"\s*(?:\\$|--hash|#)", line)[0].strip()
        if not stated or line[0].isspace():
            continue
        try:
            requirement = Requirement(stated)
        except InvalidRequirement:  # an option, or a path
            continue
        pins = [pin.version for pin in requirement.specifier if pin.operator == "=="]
        if pins and (requirement.marker is None or requirement.marker.evaluate()):
            yield requirement.name, pins[0]


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def check_git(repository: Path, environment: Mapping[str, str]) -> Finding:
    """Look for the commit that runs and releases record."""
    if stated := environment.get("DISCERN_GIT_COMMIT"):
        return ok("git", f"DISCERN_GIT_COMMIT says {stated}")
    unknown = "runs and releases will not say which code made them"
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, check=True, timeout=10
        )
    except FileNotFoundError:
        return warning("git", f"is not installed, so {unknown}: install it, or set DISCERN_GIT_COMMIT.")
    except (OSError, subprocess.SubprocessError):
        return warning("git", f"{repository} has no commit, so {unknown}: clone it, or set DISCERN_GIT_COMMIT.")
    return ok("git", f"commit {done.stdout.strip()[:12]}")


def check_room(folder: Path, free: float | None = None) -> Finding:
    """Tell how much room there is for versions, trainings and what is fetched from a bucket.

    Args:
        folder: where they are written; the nearest folder above it that exists is looked at.
        free: bytes; asked of the disk if None.
    """
    there = next(above for above in (folder, *folder.parents) if above.is_dir())
    room = (shutil.disk_usage(there).free if free is None else free) / GB
    text = f"{room:,.1f} GB are free at {folder}"
    if room >= ROOM:
        return ok("disk", text)
    finding = warning if room >= LEAST_ROOM else fault
    return finding(
        "disk",
        f"{text}: a version takes as much as its new photos, a training some hundreds of MB; make room, {ROOM:g} GB at "
        "least.",
    )
