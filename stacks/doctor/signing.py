"""Check of the signing keys and of the repository that they sign; nothing is signed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from tuf.api.metadata import Root

from discern.errors import PublicationError
from discern.publication import keys as key_files
from discern.publication.repository import ReleaseRepository
from discern.publication.roots import check_root
from stacks.doctor.findings import Finding, fault, ok, warning

KEYS, REPOSITORY = "signing keys", "repository"
SOON = timedelta(days=7)  # before a signature expires


def check_signing(url: str, keys: str) -> list[Finding]:
    """Check that the keys are there, are those that the root names, and have signed what the repository holds.

    Args:
        url: of the repository.
        keys: folder or address of `signers.json`.
    """
    try:
        findings = _of_keys(url, keys)
        if any(finding.level == "fault" for finding in findings):
            return findings
        return [*findings, *_of_repository(url, keys)]
    except PublicationError as error:
        return [fault(REPOSITORY, str(error))]
    except OSError as error:
        return [fault(KEYS, f"{keys} cannot be looked into ({key_files.reason(error)}): check the address and rights.")]


def _of_keys(url: str, keys: str) -> list[Finding]:
    if not key_files.exists(keys, key_files.SIGNERS_FILE):
        return [warning(KEYS, f"there are none in {keys}: run `{_command('init', url, keys)}` before you promote.")]
    if problems := list(_key_problems(keys)):
        return [fault(KEYS, problem) for problem in problems]
    return [_not_here(keys) or ok(KEYS, f"those in {keys} are the ones that root.json names")]


def _of_repository(url: str, keys: str) -> list[Finding]:
    repository = ReleaseRepository(url, keys)
    if not repository.exists():
        return [warning(REPOSITORY, f"there is none at {url}: run `{_command('init', url, keys)}` before you promote.")]
    if not key_files.exists(keys, key_files.SIGNERS_FILE):
        return [warning(REPOSITORY, f"{url} was not examined: there are no keys to check it with.")]
    return [check_expiries(url, keys, repository.expires(), datetime.now(UTC))]


def _command(name: str, url: str, keys: str) -> str:
    return f"discern release {name} --repository {url} --keys {keys}"


def check_expiries(url: str, keys: str, expiries: dict[str, datetime], now: datetime) -> Finding:
    """Compare the times at which signatures expire with the time.

    Args:
        url: of the repository.
        keys: folder or address of `signers.json`.
        expiries: role -> when its signature expires.
        now: the time.
    """
    role, when = min(expiries.items(), key=lambda item: item[1])
    text = f"the signature of {role} at {url} {'has expired' if when <= now else 'expires'} on {when:%Y-%m-%d}"
    if when - now > SOON:
        return ok(REPOSITORY, text)
    finding = fault if when <= now else warning
    until = f"{text}, and devices take no update from then on"
    if role == "root":
        renew = _command("renew-root", url, keys)
        return finding(REPOSITORY, f"{until}: run `{renew}`, and devices find the new root.json by themselves.")
    return finding(REPOSITORY, f"{until}: run `{_command('refresh', url, keys)}`.")


def _key_problems(keys: str) -> Iterator[str]:
    """Yield a sentence for each key that is missing or damaged, or that the root does not name."""
    root = check_root(_root(keys))
    unset = _unset(keys)
    for role in key_files.ROLES:
        if key_files.variable_of(keys, role) not in unset and (problem := _problem_of(keys, role, root)):
            yield problem


def _problem_of(keys: str, role: str, root: Root) -> str | None:
    try:
        key = key_files.public_key(keys, role)
    except PublicationError as error:
        return str(error)
    if key.keyid in root.roles[role].keyids:
        return None
    return (
        f"the key of {role} in {keys} is not the one that root.json names, and devices refuse what it signs: restore "
        "the key that belongs to the root."
    )


def _root(keys: str) -> bytes:
    try:
        return key_files.read(keys, key_files.ROOT_FILE)
    except OSError as error:
        address = key_files.address(keys, key_files.ROOT_FILE)
        raise PublicationError(f"{address} cannot be read ({key_files.reason(error)}): restore it.") from None


def _unset(keys: str) -> set[str]:
    return {name for name in key_files.signing_variables(keys) if not os.environ.get(name, "").strip()}


def _not_here(keys: str) -> Finding | None:
    """Return a warning where keys are in variables that only a run sets."""
    if names := sorted(_unset(keys)):
        return warning(
            KEYS,
            f"{', '.join(names)} not set here, so these keys were not examined: a run takes them from the ZenML secret "
            "`signing-keys`.",
        )
    return None
